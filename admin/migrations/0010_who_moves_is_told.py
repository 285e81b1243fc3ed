import django.db.models.functions.comparison
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("admin", "0009_directories_that_move"),
    ]

    operations = [
        migrations.AddField(
            model_name="mailuser",
            name="is_moving",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="mailuser",
            name="quota_rule",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.functions.text.Concat(
                    models.Value("*:bytes="),
                    django.db.models.functions.comparison.Cast("quota", models.CharField(max_length=20)),
                    models.Value("M"),
                    output_field=models.CharField(),
                ),
                output_field=models.CharField(max_length=40),
            ),
        ),
        migrations.AddField(
            model_name="mailuser",
            name="quota_size",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.functions.text.Concat(
                    django.db.models.functions.comparison.Cast("quota", models.CharField(max_length=20)),
                    models.Value("M"),
                    output_field=models.CharField(),
                ),
                output_field=models.CharField(max_length=30),
            ),
        ),
        migrations.AddField(
            model_name="mailuser",
            name="closed",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Case(models.When(is_moving=True, then=models.Value("y")), default=None),
                output_field=models.CharField(max_length=1, null=True),
            ),
        ),
        migrations.AddField(
            model_name="mailuser",
            name="reason",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Case(
                    models.When(
                        is_moving=True,
                        then=models.Value("Your mailbox is being moved. Please try again in a few minutes."),
                    ),
                    default=None,
                ),
                output_field=models.CharField(max_length=100, null=True),
            ),
        ),
    ]
