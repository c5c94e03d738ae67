"""All that is kept, and the report engine: lake, journeys, data views, reports."""
