declare module '@evt/core' {
  interface EvtErrors {
    EVT_DLQ_FULL: { readonly maxEntries: number }
  }
}

export {}
