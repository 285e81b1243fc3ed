"""The roles and their rank."""

from __future__ import annotations

from core.roles import Role


def test_roles_are_stored_under_the_names_of_the_documentation() -> None:
    assert Role.values == ["SuperAdmins", "Resellers", "DomainAdmins", "SimpleUsers"]


def test_the_rank_falls_from_super_admin_to_simple_user() -> None:
    ranks = [role.rank for role in (Role.SUPER_ADMIN, Role.RESELLER, Role.DOMAIN_ADMIN, Role.SIMPLE_USER)]
    assert ranks == sorted(ranks, reverse=True)
    assert len(set(ranks)) == len(Role)


def test_a_role_reaches_up_to_itself() -> None:
    assert set(Role.SUPER_ADMIN.up_to_here()) == set(Role)
    assert set(Role.RESELLER.up_to_here()) == {Role.RESELLER, Role.DOMAIN_ADMIN, Role.SIMPLE_USER}
    assert set(Role.DOMAIN_ADMIN.up_to_here()) == {Role.DOMAIN_ADMIN, Role.SIMPLE_USER}
    assert Role.SIMPLE_USER.up_to_here() == [Role.SIMPLE_USER]


def test_resellers_and_domain_admins_administer_domains() -> None:
    assert {role for role in Role if role.administers} == {Role.RESELLER, Role.DOMAIN_ADMIN}


def test_a_role_read_from_the_database_is_the_same_role() -> None:
    assert all(Role(role.value) is role for role in Role)
