/** Who calls a cluster's API, in Kubernetes' words. */
export interface Identity {
  readonly username: string;
  readonly groups: readonly string[];
}

/** What EKS needs of the Kubernetes API server behind its clusters. */
export interface ControlPlane {
  /** Base64 PEM, as `certificateAuthority.data`. */
  readonly certificateAuthority: string;
  /** A repeat changes nothing. */
  create(name: string): void;
  remove(name: string): void;
  /** `https://127.0.0.1:PORT/clusters/<name>`. */
  endpoint(name: string): string;
}
