from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("parameters", "0004_values_move_into_rows")]

    operations = [
        migrations.DeleteModel(name="Parameter"),
        migrations.DeleteModel(name="UserParameter"),
    ]
