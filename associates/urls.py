"""The panel: one page, and the parts that it asks for. Nothing personal is ever in an address."""

from django.urls import path

from associates import approving, attaching, enrolling, history, refund_preview, sale, ticket, views

urlpatterns = [
    path("", views.shell, name="panel"),
    path("session", views.session, name="session"),
    path("lookup", views.lookup, name="lookup"),
    path("members/<uuid:member_id>", views.member, name="member"),
    path("members/<uuid:member_id>/ask", views.ask, name="ask"),
    path("members/<uuid:member_id>/points", history.points_history, name="points-history"),
    path("sale", sale.show, name="sale"),
    path("sale/find", sale.find, name="find-sale"),
    path("sale/<int:sale_id>/refund", refund_preview.show, name="refund-preview"),
    path("sale/<int:sale_id>/add", attaching.add, name="add-sale"),
    path("redeem", views.redeem, name="redeem"),
    path("redemptions/<uuid:redemption_id>", views.coupon, name="coupon"),
    path("redemptions/<uuid:redemption_id>/news", views.news, name="coupon-news"),
    path("redemptions/<uuid:redemption_id>/check", views.check, name="check"),
    path("redemptions/<uuid:redemption_id>/extend", views.extend, name="extend"),
    path("redemptions/<uuid:redemption_id>/undo", approving.undo, name="undo"),
    path("redemptions/<uuid:redemption_id>/ask-manager", approving.ask_manager, name="ask-manager"),
    path("redemptions/<uuid:redemption_id>/approve", approving.approve, name="approve"),
    path("redemptions/<uuid:redemption_id>/applied", ticket.applied, name="applied"),
    path("redemptions/<uuid:redemption_id>/keep", ticket.keep, name="keep"),
    path("ticket", ticket.tell, name="ticket"),
    path("lock", ticket.lock, name="lock"),
    path("new", enrolling.form, name="new"),
    path("new/check", enrolling.check_field, name="check-field"),
    path("enrol", enrolling.enrol, name="enrol"),
    path("enrol/wait", enrolling.wait, name="enrol-wait"),
]
