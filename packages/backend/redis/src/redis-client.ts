export type RedisArgument = string | Buffer | number

/** What `duplicate` is asked for: a connection that fails at once instead of holding back or repeating commands. */
export interface RedisClientOptions {
  readonly lazyConnect: boolean
  readonly maxRetriesPerRequest: number
  readonly autoResendUnfulfilledCommands: boolean
  readonly retryStrategy: (times: number) => number
}
export interface RedisPipeline {
  callBuffer(command: string, args: RedisArgument[]): unknown
  exec(): Promise<[error: Error | null, result: unknown][] | null>
}
/** The least of an ioredis client, of version 5 or 6. */
export interface RedisClient {
  call(command: string, args: RedisArgument[]): Promise<unknown>
  callBuffer(command: string, args: RedisArgument[]): Promise<unknown>
  pipeline(): RedisPipeline
  duplicate(options: RedisClientOptions): RedisClient
  disconnect(): void
  on(event: 'error' | 'close', listener: (error?: Error) => void): unknown
}
