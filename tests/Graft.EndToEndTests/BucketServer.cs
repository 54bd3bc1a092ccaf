using System.Diagnostics;
using System.Text.RegularExpressions;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace Graft.EndToEndTests;

/// <summary>s3rver, somebody else's server that speaks S3, on this machine; <c>.ci/s3rver</c> installs it.</summary>
internal sealed partial class BucketServer : IAsyncDisposable
{
    /// <summary>The one that it knows.</summary>
    public const string Credential = "S3RVER";

    private static readonly string Program = Path.Combine(
        System.Environment.GetEnvironmentVariable("GRAFT_S3RVER") is { Length: > 0 } folder ? folder : Path.Combine(System.Environment.GetFolderPath(System.Environment.SpecialFolder.UserProfile), ".cache", "graft-tests", "s3rver"),
        "node_modules", "s3rver", "bin", "s3rver.js");

    private readonly Process _process;
    private readonly AmazonS3Client _client;

    private BucketServer(Process process, string address)
    {
        (_process, Address) = (process, address);
        _client = new(new BasicAWSCredentials(Credential, Credential), new AmazonS3Config
        {
            ServiceURL = address,
            ForcePathStyle = true,
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
        });
    }

    public static bool IsInstalled => File.Exists(Program);

    public string Address { get; }

    /// <summary>Settings with which the command finds it.</summary>
    public IReadOnlyDictionary<string, string> Environment => new Dictionary<string, string>
    {
        ["AWS_ENDPOINT_URL"] = Address,
        ["AWS_ACCESS_KEY_ID"] = Credential,
        ["AWS_SECRET_ACCESS_KEY"] = Credential,
        ["AWS_REGION"] = "us-east-1",
        ["AWS_EC2_METADATA_DISABLED"] = "true",
    };

    public static async Task<BucketServer> Start(string folder, string bucket, CancellationToken cancellation)
    {
        var process = Process.Start(new ProcessStartInfo("node", [Program, "-d", folder, "-a", "127.0.0.1", "-p", "0", "--configure-bucket", bucket]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        while (await process.StandardOutput.ReadLineAsync(cancellation) is { } line)
        {
            if (Listening().Match(line) is not { Success: true } said) continue;
            _ = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
            return new(process, $"http://127.0.0.1:{said.Groups["port"].Value}");
        }
        throw new InvalidOperationException("s3rver did not start.");
    }

    /// <summary>Copies a folder to a prefix.</summary>
    public async Task Put(string bucket, string prefix, string folder, CancellationToken cancellation)
    {
        foreach (var file in Directory.GetFiles(folder, "*", SearchOption.AllDirectories))
        {
            await _client.PutObjectAsync(
                new PutObjectRequest { BucketName = bucket, Key = $"{prefix}/{Path.GetRelativePath(folder, file).Replace('\\', '/')}", FilePath = file, UseChunkEncoding = false }, cancellation);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    [GeneratedRegex(@":(?<port>\d+)\s*$", RegexOptions.ExplicitCapture)]
    private static partial Regex Listening();
}
