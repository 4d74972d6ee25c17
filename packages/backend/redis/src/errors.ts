declare module '@evt/core' {
  interface EvtErrors {
    EVT_REDIS_DENIED: { readonly operation: string }
    EVT_REDIS_EVICTION: { readonly policy: string }
    EVT_REDIS_READONLY: { readonly operation: string }
    EVT_REDIS_UNAVAILABLE: { readonly operation: string }
    EVT_REDIS_VERSION: { readonly version: string; readonly needed: string }
    EVT_REDIS_WRITES_REFUSED: { readonly operation: string; readonly reason: string }
    EVT_REDIS_WRONG_TYPE: { readonly operation: string }
  }
}

/** The word a server's error reply begins with, such as `NOGROUP`; undefined where no server answered. */
export function replyWord(error: unknown): string | undefined {
  if (!(error instanceof Error) && !(typeof error === 'object' && error !== null && 'message' in error))
    return undefined
  const { name, message } = error as { name?: unknown; message?: unknown }
  if (name !== 'ReplyError' || typeof message !== 'string') return undefined
  return /^[A-Z]+/.exec(message)?.[0] ?? 'ERR'
}
