package com.github.spokehub.spoke.interop;

import org.junit.jupiter.api.DisplayName;

@DisplayName("Java " + Clients.VERSION + ", JSON, WebSockets, https")
final class JsonTlsTest extends JsonTest {
    @Override
    String scheme() {
        return "https";
    }
}
