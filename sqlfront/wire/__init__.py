"""The PostgreSQL protocol, version 3: messages and values as bytes, without sockets."""
