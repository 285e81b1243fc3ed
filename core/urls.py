"""Addresses of the core."""

from django.urls import path

from core import style_guide
from core.api import documentation, logs, me
from core.views import media, notices, own_account, resets, sessions, tokens

app_name = "core"

urlpatterns = [
    path("", sessions.root, name="root"),
    path("accounts/login/", sessions.sign_in, name="sign_in"),
    path("accounts/logout/", sessions.sign_out, name="sign_out"),
    path("accounts/password_reset/", resets.password_reset, name="password_reset"),
    path("accounts/password_reset/done/", resets.password_reset_done, name="password_reset_done"),
    path("accounts/reset/done/", resets.password_reset_complete, name="password_reset_complete"),
    path(
        "accounts/reset/<str:uidb64>/<str:token>/",
        resets.password_reset_confirm,
        name="password_reset_confirm",
    ),
    path("user/profile/", own_account.user_profile, name="user_profile"),
    path("user/password/", own_account.user_password, name="user_password"),
    path("user/tokens/", tokens.user_token_list, name="user_token_list"),
    path("user/tokens/new/", tokens.user_token_create, name="user_token_create"),
    path("user/tokens/revoke/", tokens.user_token_delete_all, name="user_token_delete_all"),
    path("user/tokens/<int:pk>/revoke/", tokens.user_token_delete, name="user_token_delete"),
    path("settings/api/", tokens.settings_api, name="settings_api"),
    path("core/top_notifications/check/", notices.top_notifications_check, name="top_notifications_check"),
    path("media/<path:name>", media.logo, name="logo"),
    path("style-guide/", style_guide.style_guide, name="style_guide"),
    path("api/v1/me/", me.Me.as_view(), name="api_me"),
    path("api/v1/logs/", logs.LogList.as_view(), name="api_log_list"),
    path("docs/api/", documentation.ApiPage.as_view(), name="api_page"),
    path("docs/api/openapi.json", documentation.ApiSchema.as_view(), name="api_schema"),
]
