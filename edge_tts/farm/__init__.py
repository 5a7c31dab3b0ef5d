"""A render farm on Ray Serve: many appliances without a loudspeaker behind one HTTP address.

Ray starts and ends replicas, chooses one for each request, queues and refuses. Read `serve_app` (what Ray runs),
`forward` (requests on their way to a replica, tried again when it dies), `headless` (an appliance in a replica).
"""
