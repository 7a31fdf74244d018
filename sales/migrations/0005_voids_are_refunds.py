from django.db import migrations
from django.db.models import F


def write_refunds(apps, schema_editor):
    """A void after the engine had heard of its sale was told as a refund of the whole."""
    refunds = apps.get_model("sales", "Refund").objects
    deliveries = apps.get_model("outbox", "Delivery").objects.filter(kind="refund")
    sales = apps.get_model("sales", "Sale").objects.filter(
        voided_at__isnull=False, not_delivered=""
    )
    for sale in sales.defer("email", "phone").iterator():
        refund_id = f"{sale.order_id}-void"
        told = deliveries.filter(key=refund_id).first()
        if told is None or told.state == "withdrawn":
            continue
        refunds.create(
            installation_id=sale.installation_id,
            refund_id=refund_id,
            sale=sale,
            named_sale=sale.pos_id,
            order_id=sale.order_id,
            is_void=True,
            total_cents=sale.total_cents,
            currency=sale.currency,
            state="promised",
            told_at=told.changed_at if told.state == "done" else None,
        )
        apps.get_model("sales", "Sale").objects.filter(pk=sale.pk).update(
            refunded_cents=F("total_cents")
        )


class Migration(migrations.Migration):
    dependencies = [("sales", "0004_refunds"), ("outbox", "0003_people_until")]

    operations = [migrations.RunPython(write_refunds, migrations.RunPython.noop)]
