-- What people may do, and what their passwords and the shop's keys are worth. `migrations/sqlite` has the same columns under
-- the same number.

-- Who was there before could do everything.
ALTER TABLE users ADD COLUMN role TEXT NOT NULL DEFAULT 'owner' CONSTRAINT users_role_check CHECK (role IN ('viewer', 'staff', 'owner'));
ALTER TABLE users ADD COLUMN disabled_at BIGINT;
-- Until when a password counts that somebody else has made and the person has to replace; NULL is their own.
ALTER TABLE users ADD COLUMN password_until BIGINT;

-- How the key begins; older keys have none.
ALTER TABLE api_keys ADD COLUMN hint TEXT;
ALTER TABLE api_keys ADD COLUMN last_used_at BIGINT;
