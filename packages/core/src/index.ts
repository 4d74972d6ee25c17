export { type Codec, jsonCodec } from './codec.ts'
export { type EvtError, type EvtErrorCode, type EvtErrors, evtError, isEvtError } from './errors.ts'
export { checkName, encodeTopic } from './names.ts'
export {
  type SchemaInput,
  type SchemaIssue,
  type SchemaOutput,
  type StandardSchemaV1,
  type,
} from './standard-schema.ts'
export { uuidv7 } from './uuid.ts'
