-- No utterance of val repeats one of train: none are equally long with equal coarse codes.
-- severity: warn
WITH coarse AS (
    SELECT utterance_id, num_samples, hash(codes_0) AS codes_hash FROM cached
), val AS (
    SELECT coarse.* FROM coarse SEMI JOIN (FROM manifest WHERE split = 'val') USING (utterance_id)
), pairs AS (
    SELECT val.utterance_id AS in_val, coarse.utterance_id AS in_train
    FROM coarse JOIN val USING (num_samples, codes_hash)
    WHERE in_val <> in_train
)
SELECT in_val, in_train
FROM pairs SEMI JOIN (FROM manifest WHERE split = 'train') AS train ON in_train = train.utterance_id
