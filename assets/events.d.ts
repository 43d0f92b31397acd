// The lines of a script's standard output. Written by tests/generate_types.py from schemas/event.schema.json:
// change that, not this file.

type Omitted = { [member: `${string}_omitted`]: true | number };
type Line<Name extends string, Members> = Members extends unknown
  ? { event: Name; time: string } & Omit<Common, keyof Members> & Members & Omitted
  : never;

export type ExitCode = 0 | 1 | 2 | 10 | 11 | 12 | 20 | 21 | 22 | 23 | 24 | 25 | 26 | 27 | 28 | 130 | 141 | 143;
export type ErrorCode = "internal_error" | "invalid_arguments" | "python_too_old" | "package_too_old" | "missing_dependency" | "missing_api_key" | "invalid_api_key" | "api_key_refused" | "key_not_checked" | "key_exists" | "service_disabled" | "invalid_descriptor" | "untrusted_destination" | "request_rejected" | "request_not_sent" | "network_forbidden" | "request_redirected" | "missing_generation_id" | "outcome_unknown" | "read_failed" | "saving_failed" | "no_output" | "no_answer" | "cannot_cancel" | "job_over" | "payload_invalid" | "payload_unfilled" | "model_not_found" | "input_refused" | "input_changed" | "input_gone" | "upload_failed" | "duplicate_unknown" | "purchase_under_way" | "purchase_elsewhere" | "job_undelivered" | "ledger_unusable" | "ledger_required" | "spend_cap" | "unknown_cost" | "lines_invalid" | "too_many_jobs" | "balance_too_low" | "held_back" | "parent_failed" | "job_not_found" | "source_invalid" | "variant_not_found" | "document_not_found" | "document_refused" | "document_unreachable" | "document_unreadable" | "document_not_openapi" | "document_too_large" | "document_too_deep" | "endpoint_not_found" | "reference_broken" | "reference_circular" | "reference_forbidden";
export type WarningCode = "replayed" | "same_id" | "ledger_unavailable" | "ledger_write_failed" | "state_folder" | "service_disabled" | "key_hidden" | "key_not_checked" | "cli_unusable" | "no_service_plan" | "model_not_listed" | "model_off_sale" | "contract_missing" | "contract_incomplete" | "balance_low" | "unknown_status" | "consent_left_out" | "document_elsewhere" | "unlisted_status" | "told_elsewhere" | "foreign_event" | "type_differs" | "unknown_format" | "result_expired" | "private_network_allowed" | "results_not_written" | "metadata_not_embedded" | "provenance_not_written";
export type Category = "internal" | "bad_arguments" | "outcome_unknown" | "insufficient_credits" | "auth" | "validation" | "not_found" | "transient" | "unknown" | "saving" | "guard" | "dependency";
export type Outcome = "not_sent" | "rejected" | "accepted" | "unknown" | "under_way";
export type Problem = { path: string; message: string; nearest?: string };
export type Verified = { complete: boolean };
export type Output = { url: string; type?: string; media_type?: string; width?: number; height?: number; duration?: number; expires_at?: string; text?: string; with_key?: boolean };
export type Brief = { ok: boolean; provider?: string; model?: string; job?: string; generation_id?: string; state?: "queued" | "running" | "succeeded" | "failed" | "canceled"; files: Array<string> | number; usage?: unknown; next_command?: string; exit_code: ExitCode; error?: { [member: string]: unknown } };
export type Saved = { path: string; bytes: number; media_type: string };
export type Asset = { path: string; number?: number; bytes: number; sha256: string; media_type: string; width?: number; height?: number; provenance?: string; unverified?: true; warning?: string };
export type Common = { exit_code?: ExitCode; ok?: boolean; usage?: unknown; script?: string; provider?: string; model?: string; url?: string; mode?: string; reason?: string; ready?: boolean; transient?: boolean; should_retry?: boolean; should_retry_create?: boolean; generation_id?: string; job?: string; trace_id?: string; replayed?: true; kept?: string; effective_parameters?: Array<{ [member: string]: unknown }>; service_plan?: { [member: string]: unknown }; candidates?: Array<string>; effect?: "no_spend" | "creates_account" | "creates_payment" | "spends"; effect_when_confirmed?: "no_spend" | "creates_payment" | "spends"; payment_url?: string; idempotency_key?: string; http_status?: number; status?: string | number; state?: "queued" | "running" | "succeeded" | "failed" | "canceled"; terminal?: false; message?: string; guidance?: Array<string>; outcome?: Outcome; next_command?: string; next_argv?: Array<string>; attempt?: number; retry_in_seconds?: number; elapsed_seconds?: number; count?: number; problems?: Array<Problem>; practice?: true; key_source?: string; files?: Array<string> | number; outputs?: Array<Output>; assets?: Array<Saved> };

export type StartEvent = Line<"start", { script: string; provider: string; url: string; mode: string }>;
export type PlanEvent = Line<"plan", {}>;
export type SubmittedEvent = Line<"submitted", { generation_id: string }>;
export type ResumedEvent = Line<"resumed", { reason: string; message: string }>;
export type SseOpenEvent = Line<"sse_open", { http_status: number }>;
export type SseEventEvent = Line<"sse_event", { terminal: false }>;
export type SseStreamEndedEvent = Line<"sse_stream_ended", { reason: "eof" | "reset" | "idle" | "malformed" | "not_a_stream" }>;
export type FallbackPollingStartEvent = Line<"fallback_polling_start", {}>;
export type PollEvent = Line<"poll", { generation_id: string; attempt: number; http_status: number; status: string | number; terminal: false }>;
export type PollErrorEvent = Line<"poll_error", { generation_id: string; attempt: number; transient: boolean; message: string; retry_in_seconds: number }>;
export type RetryEvent = Line<"retry", { what: string; attempt: number; retry_in_seconds: number; message: string }>;
export type AssetEvent = Line<"asset", Asset & {}>;
export type WarningEvent = Line<"warning", { code: WarningCode; message: string }>;
export type TerminalEvent = Line<"terminal", { ok: boolean; source: "sse" | "poll" | "create" | "cli" | "ledger"; provider: string; status: string | number; state: "succeeded" | "failed" | "canceled"; outputs: Array<Output>; elapsed_seconds: number; exit_code: 0 | 10 | 26; terminal?: unknown; error?: { code?: string; message?: string }; response?: unknown }>;
export type SummaryEvent = Line<"summary", { jobs: number; succeeded: number; failed: number; unfinished: number; unknown: number; spent: Array<{ [member: string]: unknown }>; files: Array<string>; exit_code: ExitCode }>;
export type TimeoutEvent = Line<"timeout", { generation_id: string; elapsed_seconds: number; exit_code: 11 }>;
export type InterruptedEvent = Line<"interrupted", { exit_code: 130 | 143 }>;
export type ErrorEvent = Line<"error", { error: ErrorCode; category: Category; message: string; guidance: Array<string>; exit_code: ExitCode; package?: string; found?: string; required?: string }>;
export type PreflightEvent = Line<"preflight", { ready: boolean; stage: "packages_required" | "service_unreachable" | "key_required" | "key_refused" | "credits_required" | "prompt_required" | "settle_first" | "ready"; providers: Array<{ provider: string; ready: boolean; key_found?: boolean; key_source?: string; cli_available: boolean; recommended_mode: "none" | "rest" | "cli"; missing: Array<string>; balance?: unknown; setup?: Array<string> }>; next_command: string; effect: "no_spend" | "creates_account" | "creates_payment" | "spends"; needs_approval: boolean; exit_code: ExitCode; cost?: { [member: string]: unknown }; missing?: Array<string>; key_forgotten?: boolean; no_spend_command?: string }>;
export type EndpointsEvent = Line<"endpoints", { runs: unknown; listed_only: unknown; default_result_mode?: string; default_endpoints?: Array<string>; sse_endpoints?: Array<string>; polling_endpoints?: Array<string>; poll_endpoint?: string } | { default_result_mode: string; default_endpoints: Array<string>; sse_endpoints: Array<string>; polling_endpoints: Array<string>; poll_endpoint?: string }>;
export type ContractEvent = Line<"contract", { endpoint: unknown; default_result_mode: unknown; default_create_endpoint: unknown; fields: Array<unknown>; verified: Verified }>;
export type ValidationEvent = Line<"validation", { ok: boolean; problems: Array<Problem>; exit_code: ExitCode; verified?: Verified }>;
export type ClassificationEvent = Line<"classification", { category: unknown; status: string | number; message: string; should_retry: boolean; should_retry_create: boolean; guidance: Array<string>; exit_code: ExitCode }>;
export type VersionEvent = Line<"version", {}>;
export type ServiceEvent = Line<"service", { provider: string; effect: "no_spend" | "creates_account" | "creates_payment" | "spends"; exit_code: ExitCode; added: boolean; origins: Array<string>; sha256: string; removed?: true; key?: { variables: Array<string> }; lacks?: Array<{ [member: string]: unknown }> } | { provider: string; effect: "no_spend" | "creates_account" | "creates_payment" | "spends"; exit_code: ExitCode; removed: true; added?: boolean; origins?: Array<string>; key?: { variables: Array<string> }; sha256?: string; lacks?: Array<{ [member: string]: unknown }> }>;
export type DescriptorEvent = Line<"descriptor", { endpoint: unknown; descriptor: { [member: string]: unknown }; to_do: Array<Problem>; exit_code: ExitCode }>;
export type ReadyEvent = Line<"ready", {}>;
export type JobEvent = Line<"job", {}>;
export type JobsEvent = Line<"jobs", {}>;
export type SpentEvent = Line<"spent", {}>;
export type SpendEvent = Line<"spend", {}>;
export type ForgottenEvent = Line<"forgotten", {}>;
export type GalleryEvent = Line<"gallery", { path: unknown; files: number; exit_code: ExitCode; omitted?: number }>;
export type CancelEvent = Line<"cancel", { job: string; generation_id: string; message: string }>;
export type UploadedEvent = Line<"uploaded", { field: unknown; bytes: number; sha256: string; media_type: unknown; reused: boolean }>;
export type LineEvent = Line<"line", {}>;
export type ExpandedEvent = Line<"expanded", {}>;
export type ServicesEvent = Line<"services", { services: Array<{ actions?: Array<string>; own?: boolean; usable?: boolean; tasks?: Array<string> }>; exit_code: ExitCode }>;
export type ActionsEvent = Line<"actions", { provider: string; actions: Array<{ effect: "no_spend" | "creates_payment" | "spends"; needs_confirm: boolean; key: "needed" | "unneeded" | "unknown"; fields: Array<{ [member: string]: unknown }> }>; exit_code: ExitCode }>;
export type AccountEvent = Line<"account", { provider: string; action: unknown; effect: "no_spend" | "creates_account" | "creates_payment" | "spends"; http_status: number; exit_code: 0 | 26; answer: unknown; key_stored?: boolean } | { provider: string; action: unknown; effect: "no_spend" | "creates_account" | "creates_payment" | "spends"; http_status: number; exit_code: 0 | 26; answer_omitted: true; key_stored?: boolean }>;

export type AiMediaEvent =
  | StartEvent
  | PlanEvent
  | SubmittedEvent
  | ResumedEvent
  | SseOpenEvent
  | SseEventEvent
  | SseStreamEndedEvent
  | FallbackPollingStartEvent
  | PollEvent
  | PollErrorEvent
  | RetryEvent
  | AssetEvent
  | WarningEvent
  | TerminalEvent
  | SummaryEvent
  | TimeoutEvent
  | InterruptedEvent
  | ErrorEvent
  | PreflightEvent
  | EndpointsEvent
  | ContractEvent
  | ValidationEvent
  | ClassificationEvent
  | VersionEvent
  | ServiceEvent
  | DescriptorEvent
  | ReadyEvent
  | JobEvent
  | JobsEvent
  | SpentEvent
  | SpendEvent
  | ForgottenEvent
  | GalleryEvent
  | CancelEvent
  | UploadedEvent
  | LineEvent
  | ExpandedEvent
  | ServicesEvent
  | ActionsEvent
  | AccountEvent;

/** The last line of any command. */
export type AiMediaResult = AiMediaEvent & { exit_code: ExitCode };

/** The one line of a job with --brief. */
export type BriefResult = { event: string; time: string } & Brief & Omitted;
