export {
  type ExactlyOnce,
  type ExactlyOnceOptions,
  exactlyOnce,
  type OnceBatchHandler,
  type OnceHandler,
} from './exactly-once.ts'
export type { Entered, InboxStore } from './inbox-store.ts'
