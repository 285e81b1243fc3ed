# gunicorn for the panel: gunicorn --config gunicorn.conf.py

wsgi_app = "@wsgi@"
chdir = "@directory@"
bind = "@bind@"

# Processes for the cores, threads for those who wait for the database or a slow line. A thread that sends a long export
# does not stop its process from answering others, nor make it look dead.
workers = 2
worker_class = "gthread"
threads = 4
timeout = 60
graceful_timeout = 30
keepalive = 75
max_requests = 10_000
max_requests_jitter = 1_000

# nginx on this machine is the only one who is believed.
forwarded_allow_ips = "127.0.0.1"

# To the journal. nginx writes who asked for what.
accesslog = None
errorlog = "-"
control_socket_disable = True
