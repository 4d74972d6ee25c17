declare module '@evt/core' {
  interface EvtErrors {
    EVT_IDEMPOTENCY_FULL: { readonly maxEntries: number }
  }
}

export {}
