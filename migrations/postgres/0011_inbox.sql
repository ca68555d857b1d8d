-- Webhooks of orders that are not there, newest first, as the clean-up passes over them: without it each step would read and sort all.
CREATE INDEX inbox_waiting_idx ON inbox (version, id) WHERE state = 'waiting';
