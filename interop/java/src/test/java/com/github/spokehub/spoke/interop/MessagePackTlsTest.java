package com.github.spokehub.spoke.interop;

import org.junit.jupiter.api.DisplayName;

@DisplayName("Java " + Clients.VERSION + ", MessagePack, WebSockets, https")
final class MessagePackTlsTest extends MessagePackTest {
    @Override
    String scheme() {
        return "https";
    }
}
