-- Our user and database; no password, since the port is published on 127.0.0.1 only.
CREATE USER lab@'%';
GRANT ALL ON *.* TO lab@'%' WITH GRANT OPTION;
CREATE DATABASE lab;
