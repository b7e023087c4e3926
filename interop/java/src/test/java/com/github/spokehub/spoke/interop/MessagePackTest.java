package com.github.spokehub.spoke.interop;

import com.microsoft.signalr.HubProtocol;
import org.junit.jupiter.api.DisplayName;

@DisplayName("Java " + Clients.VERSION + ", MessagePack, WebSockets, http")
class MessagePackTest extends WebSocketTest {
    @Override
    HubProtocol protocol() {
        return new MessagePackProtocol();
    }
}
