-- What is sent to a queue may go to another one, too or instead: names of queues of the same account and region.
ALTER TABLE queues ADD COLUMN copy_to TEXT;
ALTER TABLE queues ADD COLUMN move_to TEXT;
