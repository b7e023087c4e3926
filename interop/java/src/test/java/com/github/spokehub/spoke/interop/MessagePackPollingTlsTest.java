package com.github.spokehub.spoke.interop;

import org.junit.jupiter.api.DisplayName;

@DisplayName("Java " + Clients.VERSION + ", MessagePack, LongPolling, https")
final class MessagePackPollingTlsTest extends MessagePackPollingTest {
    @Override
    String scheme() {
        return "https";
    }
}
