package com.github.spokehub.spoke.interop;

import org.junit.jupiter.api.DisplayName;

@DisplayName("Java " + Clients.VERSION + ", JSON, LongPolling, https")
final class JsonPollingTlsTest extends JsonPollingTest {
    @Override
    String scheme() {
        return "https";
    }
}
