-- Rows as they come from the journeys, before they are put in order.
CREATE TABLE rows (person INTEGER, ts TIMESTAMP, channel VARCHAR, revenue DOUBLE, orders INTEGER)
