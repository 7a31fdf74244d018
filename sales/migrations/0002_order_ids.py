from django.db import migrations, models


def name_orders(apps, schema_editor):
    """As they were told to the engine; of two alike the later one as it would be named now."""
    sales = apps.get_model("sales", "Sale").objects.select_related("installation").order_by("pk")
    for sale in sales.iterator():
        order_id = f"{sale.installation.order_prefix}{sale.pos_id}"
        if sales.filter(order_id=order_id).exists():
            order_id = f"{sale.installation_id}~{sale.pos_id}"
        sales.filter(pk=sale.pk).update(order_id=order_id)


class Migration(migrations.Migration):
    dependencies = [("sales", "0001_initial"), ("stores", "0002_policies")]

    operations = [
        migrations.AddField(
            model_name="sale",
            name="order_id",
            field=models.CharField(null=True, editable=False, max_length=255),
        ),
        migrations.RunPython(name_orders, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="sale",
            name="order_id",
            field=models.CharField(
                editable=False, help_text="Its id at the engine.", max_length=255
            ),
        ),
        migrations.AddConstraint(
            model_name="sale",
            constraint=models.UniqueConstraint(
                fields=["order_id"], name="an_order_id_names_one_sale"
            ),
        ),
    ]
