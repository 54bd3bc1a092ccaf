using System.Security.Cryptography;
using Graft.Checkpoints.Store;
using Graft.Testing;

namespace Graft.Tests.Store;

/// <summary>A file of random bytes, a server that has it, and an empty store that does not wait long for it.</summary>
internal sealed class StoreScene : IDisposable
{
    public const string FileName = "net-weights.bin";
    private readonly TemporaryFolder folder = new();
    private readonly SocketsHttpHandler handler = new() { UseProxy = false, MaxAutomaticRedirections = 10 };

    public StoreScene(int bytes = 200_000, bool tls = false)
    {
        Content = Bytes(bytes, seed: 1);
        Server = new(Content, tls);
        handler.SslOptions.RemoteCertificateValidationCallback =
            (_, certificate, _, _) => certificate?.GetCertHashString() == Server.Thumbprint;
        Options = new()
        {
            Folder = Path.Combine(folder.FullName, "weights"),
            RetryDelay = TimeSpan.FromMilliseconds(1),
            StallTimeout = TimeSpan.FromSeconds(5),
            Handler = handler,
        };
        Published = new()
        {
            FileName = FileName,
            Url = Server.Address("origin/" + FileName),
            Hash = FileHash.Sha256(Sha256(Content)),
        };
    }

    public byte[] Content { get; }

    public HostileServer Server { get; }

    public WeightStoreOptions Options { get; set; }

    public PublishedFile Published { get; set; }

    public WeightStore Store => new(Options);

    public string FinalPath => Path.Combine(Options.Folder, FileName);

    public string PartialPath => FinalPath + ".part";

    public static byte[] Bytes(int count, int seed)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public static string Sha256(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    /// <summary>A file outside the store.</summary>
    public string Outside(string name, byte[] content)
    {
        var path = folder.File(name);
        File.WriteAllBytes(path, content);
        return path;
    }

    public Task<string> PullAsync(IProgress<DownloadProgress>? progress = null) =>
        Store.PullAsync(Published, progress, TestContext.Current.CancellationToken);

    public Task<WeightStoreException> PullFailsAsync() => Assert.ThrowsAsync<WeightStoreException>(() => PullAsync());

    /// <summary>Leaves what a pull leaves that was killed after so many bytes.</summary>
    public async Task InterruptAfterAsync(int bytes)
    {
        using var giveUp = new CancellationTokenSource();
        Server.Then(request => Server.Honest(request) with { StallAfter = bytes });
        var pull = Store.PullAsync(Published, cancellation: giveUp.Token);
        while (!File.Exists(PartialPath) || new FileInfo(PartialPath).Length < bytes)
        {
            Assert.False(pull.IsCompleted, "the pull ended before it was interrupted");
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pull);
    }

    public void AssertStored(byte[]? content = null)
    {
        Assert.Equal(content ?? Content, File.ReadAllBytes(FinalPath));
        Assert.Equal(FinalPath, Store.Find(Published));
        Assert.False(File.Exists(PartialPath));
        Assert.Empty(Directory.GetFiles(Options.Folder, "*.part*"));
    }

    public void AssertNothingStored()
    {
        Assert.False(File.Exists(FinalPath));
        Assert.Null(Store.Find(Published));
    }

    public void Dispose()
    {
        Server.Dispose();
        handler.Dispose();
        folder.Dispose();
    }
}

internal static class ErrorAssertions
{
    public static void AssertSays(this Exception error, params ReadOnlySpan<string> parts)
    {
        foreach (var part in parts) Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }
}

/// <summary>Reports at once, on the reporting thread.</summary>
internal sealed class ProgressLog : IProgress<DownloadProgress>
{
    public List<DownloadProgress> Entries { get; } = [];

    public void Report(DownloadProgress value)
    {
        lock (Entries) Entries.Add(value);
    }
}
