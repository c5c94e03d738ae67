-- What a text identifies somebody as, by the rules of the home: NULL if it is too long, a placeholder, or nothing but
-- blanks, zeros and dashes.
CREATE OR REPLACE TEMP MACRO identity(told) AS CASE
    WHEN length(told) <= {longest} AND told NOT IN ({placeholders}) AND NOT regexp_full_match(told, '[-0\s]*') THEN told
END
