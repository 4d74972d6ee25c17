export type { PgTransportOptions } from './options.ts'
export { type PgTransport, pgTransport } from './pg-transport.ts'
