declare module '@evt/core' {
  interface EvtErrors {
    EVT_TESTING_FAULT: { readonly operation: string }
    EVT_TESTING_NOT_PUBLISHED: {
      readonly event: string
      readonly deadlineMs: number
      readonly stuck: readonly string[]
    }
    EVT_TESTING_STUCK: { readonly deadlineMs: number; readonly stuck: readonly string[] }
  }
}

export {}
