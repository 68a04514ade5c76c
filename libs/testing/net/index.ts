export { consecutiveFreePorts, freePorts } from './free-ports.js';
export { closeNow, listenOn } from './http-server.js';
export type { Direction, ProxyMode } from './proxy-mode.js';
export { TcpProxy, type TcpProxyOptions } from './tcp-proxy.js';
