import socket

from ports import LOOPBACK, any_free, is_free, next_free


def listener(port: int = 0) -> socket.socket:
    return socket.create_server((LOOPBACK, port))


def test_a_busy_port_is_skipped():
    with listener() as busy:
        port = busy.getsockname()[1]

        assert next_free(port) > port


def test_a_free_port_is_taken_as_wished():
    wished = any_free()

    assert next_free(wished) == wished


def test_a_port_kept_for_another_server_is_skipped():
    wished = any_free()

    assert next_free(wished, but_not={wished}) > wished


def test_a_port_is_free_again_at_once_after_its_server_ended():
    with listener() as server:
        address = server.getsockname()
        with socket.create_connection(address), server.accept()[0]:
            pass  # the server closes first, so its side lingers

    assert is_free(address[1])
