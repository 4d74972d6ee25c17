export type { RedisTransportOptions } from './options.ts'
export { redisTransport } from './redis-transport.ts'
