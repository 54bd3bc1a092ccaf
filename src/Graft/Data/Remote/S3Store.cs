using System.Net;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace Graft.Data.Remote;

/// <summary>
/// Objects of Amazon S3 and of what speaks like it. Credentials, region and endpoint are those that AWS's tools take, from the environment
/// (<c>AWS_PROFILE</c>, <c>AWS_REGION</c>, <c>AWS_ENDPOINT_URL</c>, …), the files of <c>~/.aws</c>, or the machine.
/// </summary>
internal sealed class S3Store(IAmazonS3 client) : ObjectStore
{
    private static string? OwnEndpoint =>
        Environment.GetEnvironmentVariable("AWS_ENDPOINT_URL_S3") is { Length: > 0 } ofS3 ? ofS3
        : Environment.GetEnvironmentVariable("AWS_ENDPOINT_URL") is { Length: > 0 } ofAll ? ofAll : null;

    /// <exception cref="RemoteException">The settings of the environment are unusable.</exception>
    public static IAmazonS3 Connect()
    {
        try
        {
            var config = new AmazonS3Config
            {
                // Attempts are counted here, for all servers alike.
                MaxErrorRetry = 0,
                Timeout = Timeout.InfiniteTimeSpan,
            };
            // Servers of one's own seldom have a host name for each bucket, and no region.
            config.ForcePathStyle = OwnEndpoint is not null || config.ServiceURL is not null;
            if (config.RegionEndpoint is null && config.ServiceURL is null) config.RegionEndpoint = Amazon.RegionEndpoint.USEast1;
            return new AmazonS3Client(config);
        }
        catch (Exception problem) when (problem is AmazonClientException or ArgumentException or InvalidOperationException or UriFormatException)
        {
            throw new RemoteException($"The settings for S3 (AWS_REGION, AWS_ENDPOINT_URL, AWS_PROFILE, …) cannot be used: {problem.Message}", problem);
        }
    }

    protected override async Task<Answer> GetAsync(string place, (long From, int Count)? range, string? tag, CancellationToken cancellation)
    {
        var (bucket, key) = RemotePlace.InBucket(place);
        if (key.Length == 0) throw new RemoteFault("names a bucket and no object");
        var response = await client.GetObjectAsync(
            new GetObjectRequest
            {
                BucketName = bucket,
                Key = key,
                ByteRange = range is { } part ? new(part.From, part.From + part.Count - 1) : null,
                EtagToMatch = tag,
            },
            cancellation).ConfigureAwait(false);
        var (from, total) = Span(response.ContentRange);
        return new(response.ResponseStream, response.ContentLength, response.HttpStatusCode == HttpStatusCode.PartialContent ? from ?? range?.From : null, total, response.ETag, response);
    }

    protected override async Task<(IReadOnlyList<(string Name, ObjectFacts Facts)> Page, string? Next)> ListAsync(string place, string? next, CancellationToken cancellation)
    {
        var (bucket, key) = RemotePlace.InBucket(place);
        var prefix = key.Length == 0 ? "" : $"{key}/";
        var page = await client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket, Prefix = prefix, ContinuationToken = next }, cancellation).ConfigureAwait(false);
        return (
            // What ends in a slash stands for a folder.
            [.. (page.S3Objects ?? []).Where(entry => !entry.Key.EndsWith('/')).Select(entry => (entry.Key[prefix.Length..], new ObjectFacts(entry.Size, entry.ETag)))],
            page.IsTruncated == true ? page.NextContinuationToken : null);
    }

    protected override RemoteFault? FaultOf(string place, Exception problem)
    {
        var (bucket, _) = RemotePlace.InBucket(place);
        switch (problem)
        {
            case AmazonS3Exception { ErrorCode: "NoSuchBucket" }:
                return new($"there is no bucket {bucket} at {Endpoint}. Check its name, and AWS_ENDPOINT_URL");
            case AmazonS3Exception { StatusCode: HttpStatusCode.NotFound }:
                return new("there is no such object (404)") { IsMissing = true };
            case AmazonS3Exception { StatusCode: HttpStatusCode.RequestedRangeNotSatisfiable }:
                return new(Empty);
            case AmazonS3Exception { StatusCode: HttpStatusCode.PreconditionFailed }:
                return new(Changed);
            case AmazonS3Exception elsewhere when elsewhere.StatusCode is HttpStatusCode.MovedPermanently or HttpStatusCode.TemporaryRedirect
                || elsewhere.ErrorCode is "AuthorizationHeaderMalformed" or "PermanentRedirect" or "IllegalLocationConstraintException":
                return new($"the bucket {bucket} lies in another region. Set AWS_REGION to it ({elsewhere.ErrorCode}: {elsewhere.Message.TrimEnd('.')})", isTransient: false, problem);
            case AmazonS3Exception refused when refused.StatusCode is HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized:
                return new(
                    $"access is refused ({(int)refused.StatusCode} {refused.ErrorCode}). Check that the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID, …) are valid and may list the bucket {bucket} (s3:ListBucket) and read its objects (s3:GetObject)",
                    isTransient: false, problem);
            case AmazonServiceException { StatusCode: not 0 } answered:
                return new($"{Endpoint} answers {(int)answered.StatusCode} {answered.ErrorCode}", IsTransient(answered.StatusCode) || answered.ErrorCode is "RequestTimeout" or "SlowDown", problem);
            case HttpRequestException or AmazonServiceException { InnerException: HttpRequestException }:
                return new($"{Endpoint} cannot be reached: {WebStore.Innermost(problem)}. Check the network, AWS_ENDPOINT_URL and AWS_REGION", isTransient: true, problem);
            case IOException:
                return new($"the connection was cut: {WebStore.Innermost(problem)}", isTransient: true, problem);
            case AmazonClientException when problem.Message.Contains("credentials", StringComparison.OrdinalIgnoreCase):
                return new("there are no credentials for S3. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where the machine has a role. What is public can be read as https://", isTransient: false, problem);
            // A checksum that is wrong, among others.
            case AmazonClientException:
                return new(WebStore.Innermost(problem), isTransient: true, problem);
            default:
                return null;
        }
    }

    private string Endpoint => (OwnEndpoint ?? client.Config.ServiceURL) is { } address ? RemotePlace.Of(address) : $"S3 in {client.Config.RegionEndpoint?.SystemName}";

    /// <summary>Of <c>bytes 0-0/1234</c>.</summary>
    private static (long? From, long? Total) Span(string? range)
    {
        var numbers = (range ?? "").Replace("bytes ", "", StringComparison.OrdinalIgnoreCase).Split('-', '/');
        return numbers.Length == 3 ? (Number(numbers[0]), Number(numbers[2])) : (null, null);

        static long? Number(string text) => long.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out var number) ? number : null;
    }
}
