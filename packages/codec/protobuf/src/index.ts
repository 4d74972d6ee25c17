export { type ProtobufCodecOptions, protobufCodec } from './protobuf-codec.ts'
