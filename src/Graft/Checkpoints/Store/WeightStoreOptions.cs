namespace Graft.Checkpoints.Store;

/// <summary>Where weights are kept and how they are fetched.</summary>
public sealed record WeightStoreOptions
{
    private static readonly Uri HuggingFace = new("https://huggingface.co/");

    /// <summary>The folder of the weight files; it is made when first needed.</summary>
    public required string Folder { get; init; }

    /// <summary>Tried first, as <c>MIRROR/FileName</c>; the publisher comes after it. Default none.</summary>
    public Uri? Mirror { get; init; }

    /// <summary>Takes the place of https://huggingface.co.</summary>
    public Uri HuggingFaceEndpoint { get; init; } = HuggingFace;

    /// <summary>Never touch the network. Default false.</summary>
    public bool Offline { get; init; }

    /// <summary>
    /// How often one source is tried again after a passing fault (408, 429, 5xx, a cut, a stall) before it counts as
    /// failed; the count starts anew whenever a try has brought a megabyte. 0 to 100, default 5.
    /// </summary>
    public int Retries { get; init; } = 5;

    /// <summary>The mean wait before the first retry; it doubles with each, spread at random. Default 1 s.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>No wait of our own is longer. Default 30 s.</summary>
    public TimeSpan LongestRetryDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A server's Retry-After is followed up to this. Default 2 minutes.</summary>
    public TimeSpan LongestRetryAfter { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>A connection that brings nothing for so long is given up. Default 30 s.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Where a record states no size, a download ends here as wrong: a server may send without end. Default 2 GiB; no published network
    /// without a stated size has half of it.
    /// </summary>
    public long MaxUnstatedBytes { get; init; } = 2L << 30;

    /// <summary>Sends the requests, and stays the caller's. Default: the platform's, with its proxies.</summary>
    public HttpMessageHandler? Handler { get; init; }

    /// <summary>
    /// The defaults with <see cref="GraftHome"/>'s folder <c>weights</c> and what <c>GRAFT_MIRROR</c>,
    /// <c>HF_ENDPOINT</c> and <c>GRAFT_OFFLINE</c> say.
    /// </summary>
    public static WeightStoreOptions FromEnvironment() =>
        FromEnvironment(GraftHome.Subfolder("weights"), Environment.GetEnvironmentVariable);

    internal static WeightStoreOptions FromEnvironment(string folder, Func<string, string?> variable)
    {
        return new()
        {
            Folder = folder,
            Mirror = Address("GRAFT_MIRROR"),
            HuggingFaceEndpoint = Address("HF_ENDPOINT") ?? HuggingFace,
            Offline = variable("GRAFT_OFFLINE")?.Trim().ToLowerInvariant()
                is not (null or "" or "0" or "false" or "no" or "off"),
        };

        Uri? Address(string name) => variable(name)?.Trim() switch
        {
            null or "" => null,
            var text when Uri.TryCreate(text, UriKind.Absolute, out var uri) && IsWeb(uri) => uri,
            var text => throw new WeightStoreException(
                $"{name} must be an http or https address such as https://example.org/weights, found '{text}'."),
        };
    }

    /// <summary>Where to ask for a file, best first; the last is the publisher or what stands in for it.</summary>
    internal IReadOnlyList<Uri> Sources(PublishedFile file)
    {
        var origin = file.Url.Host.Equals(HuggingFace.Host, StringComparison.OrdinalIgnoreCase)
            ? Below(HuggingFaceEndpoint, file.Url.PathAndQuery.TrimStart('/'))
            : file.Url;
        return Mirror is null ? [origin] : [Below(Mirror, file.FileName), origin];

        static Uri Below(Uri folder, string path) => new($"{folder.AbsoluteUri.TrimEnd('/')}/{path}");
    }

    internal WeightStoreOptions Validated()
    {
        var problems = new List<string>();
        if (string.IsNullOrWhiteSpace(Folder)) problems.Add("Folder is empty");
        if (Mirror is not null && !IsWeb(Mirror)) problems.Add($"Mirror is not an http or https address: {Mirror}");
        if (!IsWeb(HuggingFaceEndpoint))
            problems.Add($"HuggingFaceEndpoint is not an http or https address: {HuggingFaceEndpoint}");
        if (Retries is < 0 or > 100) problems.Add($"Retries is {Retries}, expected 0 to 100");
        if (MaxUnstatedBytes < 1) problems.Add($"MaxUnstatedBytes is {MaxUnstatedBytes}, expected 1 or more");
        foreach (var (name, span) in new[]
        {
            (nameof(RetryDelay), RetryDelay), (nameof(LongestRetryDelay), LongestRetryDelay),
            (nameof(LongestRetryAfter), LongestRetryAfter), (nameof(StallTimeout), StallTimeout),
        })
            if (span <= TimeSpan.Zero || span > TimeSpan.FromDays(1))
                problems.Add($"{name} is {span}, expected more than 0 and at most a day");
        return problems.Count == 0 ? this : throw new ArgumentException(string.Join("; ", problems) + ".");
    }

    private static bool IsWeb(Uri address) => address is { IsAbsoluteUri: true, Scheme: "http" or "https" };
}
