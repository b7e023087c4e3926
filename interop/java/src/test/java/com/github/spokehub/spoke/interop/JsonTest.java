package com.github.spokehub.spoke.interop;

import com.microsoft.signalr.HubProtocol;
import org.junit.jupiter.api.DisplayName;

@DisplayName("Java " + Clients.VERSION + ", JSON, WebSockets, http")
class JsonTest extends WebSocketTest {
    @Override
    HubProtocol protocol() {
        return null; // the client's own default
    }
}
