-- The tables of 0.1.0, with two objects and a run.
BEGIN TRANSACTION;
CREATE TABLE kfp_artifact_tasks (
	id VARCHAR(64) NOT NULL, 
	artifact_id VARCHAR(64) NOT NULL, 
	run_id VARCHAR(64) NOT NULL, 
	task_id VARCHAR(64) NOT NULL, 
	type VARCHAR(32) NOT NULL, 
	"key" VARCHAR(256) NOT NULL, 
	producer_task_name VARCHAR(256) DEFAULT '' NOT NULL, 
	producer_iteration INTEGER DEFAULT '-1' NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE kfp_artifacts (
	artifact_id VARCHAR(64) NOT NULL, 
	namespace VARCHAR(63) NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	description TEXT DEFAULT '' NOT NULL, 
	type VARCHAR(32) NOT NULL, 
	schema_title VARCHAR(256) DEFAULT '' NOT NULL, 
	schema_version VARCHAR(32) DEFAULT '' NOT NULL, 
	uri TEXT DEFAULT '' NOT NULL, 
	metadata TEXT DEFAULT '{}' NOT NULL, 
	number_value FLOAT, 
	stored BOOLEAN DEFAULT 0 NOT NULL, 
	created_at BIGINT NOT NULL, 
	PRIMARY KEY (artifact_id)
);
CREATE TABLE kfp_experiments (
	experiment_id VARCHAR(64) NOT NULL, 
	namespace VARCHAR(63) NOT NULL, 
	display_name VARCHAR(256) NOT NULL, 
	description TEXT DEFAULT '' NOT NULL, 
	storage_state VARCHAR(16) NOT NULL, 
	created_at BIGINT NOT NULL, 
	last_run_created_at BIGINT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (experiment_id), 
	UNIQUE (namespace, display_name)
);
CREATE TABLE kfp_pipeline_versions (
	pipeline_version_id VARCHAR(64) NOT NULL, 
	pipeline_id VARCHAR(64) NOT NULL, 
	name VARCHAR(127) NOT NULL, 
	display_name VARCHAR(256) NOT NULL, 
	description TEXT DEFAULT '' NOT NULL, 
	tags TEXT DEFAULT '{}' NOT NULL, 
	created_at BIGINT NOT NULL, 
	package_url TEXT DEFAULT '' NOT NULL, 
	code_source_url TEXT DEFAULT '' NOT NULL, 
	spec TEXT NOT NULL, 
	PRIMARY KEY (pipeline_version_id), 
	UNIQUE (pipeline_id, name), 
	FOREIGN KEY(pipeline_id) REFERENCES kfp_pipelines (pipeline_id) ON DELETE CASCADE
);
CREATE TABLE kfp_pipelines (
	pipeline_id VARCHAR(64) NOT NULL, 
	namespace VARCHAR(63) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	display_name VARCHAR(256) NOT NULL, 
	description TEXT DEFAULT '' NOT NULL, 
	tags TEXT DEFAULT '{}' NOT NULL, 
	created_at BIGINT NOT NULL, 
	PRIMARY KEY (pipeline_id), 
	UNIQUE (namespace, name)
);
CREATE TABLE kfp_runs (
	run_id VARCHAR(64) NOT NULL, 
	experiment_id VARCHAR(64) NOT NULL, 
	namespace VARCHAR(63) NOT NULL, 
	display_name VARCHAR(256) NOT NULL, 
	description TEXT DEFAULT '' NOT NULL, 
	storage_state VARCHAR(16) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	state_history TEXT DEFAULT '[]' NOT NULL, 
	error TEXT DEFAULT '' NOT NULL, 
	created_at BIGINT NOT NULL, 
	scheduled_at BIGINT DEFAULT '0' NOT NULL, 
	finished_at BIGINT DEFAULT '0' NOT NULL, 
	pipeline_id VARCHAR(64) DEFAULT '' NOT NULL, 
	pipeline_version_id VARCHAR(64) DEFAULT '' NOT NULL, 
	spec TEXT NOT NULL, 
	spec_inline BOOLEAN NOT NULL, 
	runtime_config TEXT DEFAULT '{}' NOT NULL, 
	service_account VARCHAR(253) DEFAULT '' NOT NULL, 
	recurring_run_id VARCHAR(64) DEFAULT '' NOT NULL, 
	PRIMARY KEY (run_id)
);
INSERT INTO "kfp_runs" VALUES('r','e','default','run','','AVAILABLE','SUCCEEDED','[]','',1,0,0,'','','{}',1,'{}','','');
CREATE TABLE kfp_tasks (
	task_id VARCHAR(64) NOT NULL, 
	run_id VARCHAR(64) NOT NULL, 
	parent_task_id VARCHAR(64) DEFAULT '' NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	scope_path TEXT NOT NULL, 
	display_name VARCHAR(256) NOT NULL, 
	type VARCHAR(24) NOT NULL, 
	iteration_index INTEGER DEFAULT '-1' NOT NULL, 
	iteration_count INTEGER DEFAULT '-1' NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	state_history TEXT DEFAULT '[]' NOT NULL, 
	error TEXT DEFAULT '' NOT NULL, 
	created_at BIGINT NOT NULL, 
	started_at BIGINT DEFAULT '0' NOT NULL, 
	finished_at BIGINT DEFAULT '0' NOT NULL, 
	attempts TEXT DEFAULT '[]' NOT NULL, 
	inputs TEXT DEFAULT '{}' NOT NULL, 
	outputs TEXT DEFAULT '{}' NOT NULL, 
	cache_fingerprint VARCHAR(64) DEFAULT '' NOT NULL, 
	cached_from_task_id VARCHAR(64) DEFAULT '' NOT NULL, 
	PRIMARY KEY (task_id), 
	FOREIGN KEY(run_id) REFERENCES kfp_runs (run_id) ON DELETE CASCADE
);
CREATE TABLE kube_compaction (
	id INTEGER NOT NULL, 
	rev INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE kube_objects (
	rev INTEGER NOT NULL, 
	resource TEXT NOT NULL, 
	namespace TEXT NOT NULL, 
	name TEXT NOT NULL, 
	superseded_rev INTEGER, 
	deleted BOOLEAN NOT NULL, 
	data BLOB NOT NULL, 
	PRIMARY KEY (rev)
);
INSERT INTO "kube_objects" VALUES(1,'namespaces','','default',NULL,0,X'7B226B696E64223A224E616D657370616365222C2261706956657273696F6E223A227631222C226D65746164617461223A7B226E616D65223A2264656661756C74222C227265736F7572636556657273696F6E223A2231227D7D');
INSERT INTO "kube_objects" VALUES(2,'configmaps','default','kept',NULL,0,X'7B226B696E64223A22436F6E6669674D6170222C2261706956657273696F6E223A227631222C226D65746164617461223A7B226E616D65223A226B657074222C226E616D657370616365223A2264656661756C74222C227265736F7572636556657273696F6E223A2232227D7D');
CREATE INDEX kube_objects_history ON kube_objects (resource, rev);
CREATE INDEX kube_objects_versions ON kube_objects (resource, namespace, name, rev);
CREATE UNIQUE INDEX kube_objects_current ON kube_objects (resource, namespace, name) WHERE superseded_rev IS NULL;
CREATE INDEX kube_objects_superseded ON kube_objects (superseded_rev) WHERE superseded_rev IS NOT NULL;
CREATE INDEX kfp_runs_by_state ON kfp_runs (state);
CREATE INDEX kfp_runs_by_experiment ON kfp_runs (experiment_id, created_at);
CREATE INDEX kfp_runs_by_age ON kfp_runs (namespace, created_at);
CREATE INDEX kfp_runs_listing ON kfp_runs (namespace, created_at, run_id, storage_state, state, experiment_id, display_name, finished_at);
CREATE INDEX kfp_artifacts_by_age ON kfp_artifacts (namespace, created_at);
CREATE INDEX kfp_artifacts_by_uri ON kfp_artifacts (uri);
CREATE INDEX kfp_artifact_tasks_by_task ON kfp_artifact_tasks (task_id);
CREATE INDEX kfp_artifact_tasks_by_artifact ON kfp_artifact_tasks (artifact_id);
CREATE INDEX kfp_artifact_tasks_by_run ON kfp_artifact_tasks (run_id);
CREATE INDEX kfp_pipeline_versions_by_age ON kfp_pipeline_versions (pipeline_id, created_at);
CREATE INDEX kfp_tasks_by_fingerprint ON kfp_tasks (cache_fingerprint, finished_at);
CREATE INDEX kfp_tasks_by_parent ON kfp_tasks (parent_task_id);
CREATE INDEX kfp_tasks_by_run ON kfp_tasks (run_id, created_at);
COMMIT;
