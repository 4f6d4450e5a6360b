-- Why a proposal was turned down, in the words of who did; NULL = nobody said.
ALTER TABLE proposals ADD COLUMN reason TEXT;
