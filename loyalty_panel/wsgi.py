"""The WSGI application that gunicorn serves."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty_panel.settings")

application = get_wsgi_application()

from loyalty_panel.warm import warm_up  # noqa: E402 - needs the settings

warm_up()
# All that stands here stays until the end. The garbage collector would walk through it again and
# again, a quarter of a look-up's time.
gc.collect()
gc.freeze()
