"""Who is who: pure rules that say which person an event of a device belongs to."""
