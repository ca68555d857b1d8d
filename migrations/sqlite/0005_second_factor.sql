-- A second factor for people. `migrations/postgres` has the same tables and columns under the same number.

-- As it is, in Base32: codes are made with it.
ALTER TABLE users ADD COLUMN code_secret TEXT;
-- The step of the last code that was used: no code counts twice.
ALTER TABLE users ADD COLUMN code_step INTEGER;

-- Codes for who has lost the telephone, by their SHA-256. Each is gone once it was used.
CREATE TABLE recovery_codes (
    user_id   INTEGER NOT NULL,
    code_hash BLOB NOT NULL,
    CONSTRAINT recovery_codes_pkey PRIMARY KEY (user_id, code_hash),
    CONSTRAINT recovery_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT recovery_codes_hash_check CHECK (length(code_hash) = 32)
) STRICT;

-- People who gave their password and not yet their code. No session: nothing is open to them.
CREATE TABLE half_sign_ins (
    token_hash BLOB NOT NULL,
    user_id    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    CONSTRAINT half_sign_ins_pkey PRIMARY KEY (token_hash),
    CONSTRAINT half_sign_ins_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT half_sign_ins_hash_check CHECK (length(token_hash) = 32)
) STRICT;

CREATE INDEX half_sign_ins_user_id_idx ON half_sign_ins (user_id);
CREATE INDEX half_sign_ins_expires_at_idx ON half_sign_ins (expires_at);
