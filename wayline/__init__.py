"""The face of wayline: command line, demo and demo data."""
