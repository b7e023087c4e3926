package com.github.spokehub.spoke.interop;

import com.microsoft.signalr.TransportEnum;

/** All over long polling. */
abstract class PollingTest extends ClientTest {
    @Override
    TransportEnum transport() {
        return TransportEnum.LONG_POLLING;
    }
}
