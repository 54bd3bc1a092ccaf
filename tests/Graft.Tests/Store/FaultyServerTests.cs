using System.Diagnostics;
using Graft.Checkpoints.Store;

namespace Graft.Tests.Store;

public class FaultyServerTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Connection_cut_several_times_costs_no_byte_twice()
    {
        using var scene = new StoreScene();
        scene.Server.ThenCut(50_000).ThenCut(1).ThenCut(0).ThenCut(70_000);
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Equal(scene.Content.Length, scene.Server.BodyBytes);
        Assert.Equal([null, 50_000, 50_001, 50_001, 120_001], scene.Server.Requests.Select(request => request.From));
        Assert.All(scene.Server.Requests.Skip(1), request => Assert.Equal("\"v1\"", request.Header("If-Range")));
    }

    [Fact]
    public async Task Retries_are_counted_anew_after_a_megabyte()
    {
        using var scene = new StoreScene(bytes: 4 << 20);
        scene.Options = scene.Options with { Retries = 1 };
        for (var i = 0; i < 3; i++) scene.Server.ThenCut(5 << 18);
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Equal(4, scene.Server.Requests.Count);
    }

    [Fact]
    public async Task Connection_that_is_always_cut_fails_after_the_retries_and_keeps_what_came()
    {
        using var scene = new StoreScene();
        scene.Options = scene.Options with { Retries = 3 };
        for (var i = 0; i < 4; i++) scene.Server.ThenCut(1000);
        var error = await scene.PullFailsAsync();
        scene.AssertNothingStored();
        Assert.Equal(4, scene.Server.Requests.Count);
        error.AssertSays("4,000 bytes have come already");

        await scene.PullAsync();
        scene.AssertStored();
        Assert.Equal(scene.Content.Length, scene.Server.BodyBytes);
    }

    [Fact]
    public async Task Without_retries_one_request_is_made()
    {
        using var scene = new StoreScene();
        scene.Options = scene.Options with { Retries = 0 };
        scene.Server.ThenStatus("503 Service Unavailable");
        await scene.PullFailsAsync();
        Assert.Single(scene.Server.Requests);
    }

    [Fact]
    public async Task Stalled_connection_is_given_up_and_resumed()
    {
        using var scene = new StoreScene();
        scene.Options = scene.Options with { StallTimeout = TimeSpan.FromMilliseconds(300) };
        scene.Server.Then(request => scene.Server.Honest(request) with { StallAfter = 60_000 });
        var log = new ProgressLog();
        await scene.PullAsync(log);
        scene.AssertStored();
        Assert.Equal(scene.Content.Length, scene.Server.BodyBytes);
        var retry = Assert.Single(log.Entries, entry => entry.State is DownloadState.Retrying);
        Assert.Contains("nothing came for 0.3 s", retry.Note, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Slow_connection_that_keeps_moving_is_not_given_up()
    {
        using var scene = new StoreScene();
        scene.Options = scene.Options with { StallTimeout = TimeSpan.FromSeconds(1) };
        scene.Server.Then(request => scene.Server.Honest(request) with { Pause = TimeSpan.FromMilliseconds(100) });
        await scene.PullAsync();
        Assert.Single(scene.Server.Requests);
    }

    [Fact]
    public async Task Server_that_claims_too_long_a_length_is_asked_for_the_rest_and_believed_by_the_hash()
    {
        using var scene = new StoreScene();
        scene.Server.Then(request => scene.Server.Honest(request) with { ClaimedLength = 300_000 });
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Equal([null, 200_000], scene.Server.Requests.Select(request => request.From));
    }

    [Fact]
    public async Task Server_that_always_claims_too_long_a_length_fails_when_no_hash_speaks_for_the_file()
    {
        using var scene = new StoreScene();
        scene.Published = scene.Published with { Hash = null };
        scene.Server.KnowsRanges = false;
        scene.Server.ETag = null;
        for (var i = 0; i < 6; i++)
            scene.Server.Then(request => scene.Server.Honest(request) with { ClaimedLength = 300_000 });
        var error = await scene.PullFailsAsync();
        scene.AssertNothingStored();
        error.AssertSays("cut after 200,000 of 300,000 bytes");
    }

    [Fact]
    public async Task Server_that_claims_too_short_a_length_is_caught_by_the_hash()
    {
        using var scene = new StoreScene();
        scene.Server.Then(request => scene.Server.Honest(request) with { ClaimedLength = 1000 });
        var error = await scene.PullFailsAsync();
        scene.AssertNothingStored();
        error.AssertSays("a wrong file");
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(300_000)]
    public async Task Length_other_than_the_published_one_is_refused_before_the_body_and_tried_again(int claimed)
    {
        using var scene = new StoreScene();
        scene.Published = scene.Published with { Bytes = scene.Content.Length };
        scene.Server.ThenCut(80_000).Then(_ => new("200 OK") { Body = scene.Content, ClaimedLength = claimed });
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Equal([null, 80_000, 80_000], scene.Server.Requests.Select(request => request.From));
    }

    [Fact]
    public async Task Body_without_a_claimed_length_is_cut_off_at_the_published_one()
    {
        using var scene = new StoreScene();
        scene.Published = scene.Published with { Bytes = 100_000 };
        scene.Server.Then(request => scene.Server.Honest(request) with { ClaimedLength = -1 });
        var error = await scene.PullFailsAsync();
        scene.AssertNothingStored();
        error.AssertSays("more than the 100,000 bytes expected");
    }

    [Fact]
    public async Task Body_without_a_claimed_length_that_ends_too_soon_is_resumed()
    {
        using var scene = new StoreScene();
        scene.Published = scene.Published with { Bytes = scene.Content.Length };
        scene.Server.Then(request => scene.Server.Honest(request) with { ClaimedLength = -1, CutAfter = 90_000 });
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Equal([null, 90_000], scene.Server.Requests.Select(request => request.From));
    }

    [Theory]
    [InlineData("404 Not Found")]
    [InlineData("403 Forbidden")]
    [InlineData("401 Unauthorized")]
    [InlineData("416 Range Not Satisfiable")]
    public async Task Refusal_is_final(string status)
    {
        using var scene = new StoreScene();
        scene.Server.ThenStatus(status);
        var error = await scene.PullFailsAsync();
        Assert.Single(scene.Server.Requests);
        scene.AssertNothingStored();
        Assert.False(File.Exists(scene.PartialPath));
        error.AssertSays("status " + status);
    }

    [Theory]
    [InlineData("503 Service Unavailable")]
    [InlineData("500 Internal Server Error")]
    [InlineData("429 Too Many Requests")]
    [InlineData("408 Request Timeout")]
    public async Task Passing_fault_is_tried_again(string status)
    {
        using var scene = new StoreScene();
        scene.Server.ThenStatus(status).ThenStatus(status);
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Equal(3, scene.Server.Requests.Count);
    }

    [Fact]
    public async Task Retry_after_is_respected()
    {
        using var scene = new StoreScene();
        scene.Server.ThenStatus("429 Too Many Requests", "Retry-After: 1");
        var watch = Stopwatch.StartNew();
        await scene.PullAsync();
        Assert.InRange(watch.Elapsed.TotalSeconds, 0.99, 5);
    }

    [Fact]
    public async Task Retry_after_is_bounded()
    {
        using var scene = new StoreScene();
        scene.Options = scene.Options with { LongestRetryAfter = TimeSpan.FromMilliseconds(50) };
        scene.Server.ThenStatus("503 Service Unavailable", "Retry-After: 3600")
            .ThenStatus("503 Service Unavailable", $"Retry-After: {DateTimeOffset.UtcNow.AddHours(1):R}");
        var watch = Stopwatch.StartNew();
        await scene.PullAsync();
        Assert.InRange(watch.Elapsed.TotalSeconds, 0.09, 5);
    }

    [Fact]
    public async Task Refused_connection_is_tried_again_and_named()
    {
        using var scene = new StoreScene();
        scene.Server.Dispose();
        var log = new ProgressLog();
        var error = await Assert.ThrowsAsync<WeightStoreException>(() => scene.PullAsync(log));
        Assert.Equal(scene.Options.Retries, log.Entries.Count(entry => entry.State is DownloadState.Retrying));
        error.AssertSays("no connection (");
    }

    [Fact]
    public async Task Redirects_are_followed_and_keep_the_range()
    {
        using var scene = new StoreScene();
        var elsewhere = scene.Server.Address("elsewhere/a");
        scene.Server.ThenStatus("302 Found", $"Location: {elsewhere}").ThenCut(60_000)
            .ThenStatus("307 Temporary Redirect", "Location: /elsewhere/b");
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Equal(
            [
                ("/origin/net-weights.bin", null), ("/elsewhere/a", null),
                ("/origin/net-weights.bin", 60_000), ("/elsewhere/b", 60_000),
            ],
            scene.Server.Requests.Select(request => (request.Path, request.From)));
        Assert.Equal(scene.Content.Length, scene.Server.BodyBytes);
    }

    [Fact]
    public async Task Redirect_loop_ends()
    {
        using var scene = new StoreScene();
        for (var i = 0; i < 50; i++) scene.Server.ThenStatus("302 Found", "Location: /round");
        var error = await scene.PullFailsAsync();
        Assert.Equal(11, scene.Server.Requests.Count);
        error.AssertSays("redirects without end");
    }

    [Fact]
    public async Task Redirect_from_https_to_http_is_refused()
    {
        using var scene = new StoreScene(tls: true);
        using var insecure = new HostileServer(scene.Content);
        scene.Server.ThenStatus("302 Found", $"Location: {insecure.Address("x")}");
        var error = await scene.PullFailsAsync();
        Assert.Empty(insecure.Requests);
        error.AssertSays("from https to http");

        await scene.PullAsync();
        scene.AssertStored();
    }

    [Fact]
    public async Task Untrusted_certificate_is_final()
    {
        using var scene = new StoreScene(tls: true);
        using var strict = new SocketsHttpHandler { UseProxy = false };
        scene.Options = scene.Options with { Handler = strict };
        var error = await scene.PullFailsAsync();
        Assert.Empty(scene.Server.Requests);
        error.AssertSays("certificate");
    }

    [Fact]
    public async Task Wrong_file_never_takes_the_name_and_both_hashes_are_told()
    {
        using var scene = new StoreScene();
        scene.Server.File = StoreScene.Bytes(200_000, seed: 2);
        using var watcher = new FileSystemWatcher(Directory.CreateDirectory(scene.Options.Folder).FullName);
        var seen = new List<string?>();
        watcher.Created += (_, change) => { lock (seen) seen.Add(change.Name); };
        watcher.Renamed += (_, change) => { lock (seen) seen.Add(change.Name); };
        watcher.EnableRaisingEvents = true;
        var error = await scene.PullFailsAsync();
        await Task.Delay(50, Cancellation);
        scene.AssertNothingStored();
        Assert.False(File.Exists(scene.PartialPath));
        lock (seen) Assert.DoesNotContain(StoreScene.FileName, seen);
        error.AssertSays(StoreScene.Sha256(scene.Content));
        error.AssertSays(StoreScene.Sha256(scene.Server.File));
        Assert.Single(scene.Server.Requests);
    }

    [Fact]
    public async Task Wrong_file_in_pieces_is_fetched_twice_at_most()
    {
        using var scene = new StoreScene();
        scene.Server.File = StoreScene.Bytes(200_000, seed: 2);
        for (var i = 0; i < 10; i++) scene.Server.ThenCut(150_000).Then(scene.Server.Honest);
        await scene.PullFailsAsync();
        scene.AssertNothingStored();
        Assert.Equal(4, scene.Server.Requests.Count);
    }

    [Fact]
    public async Task Server_without_ranges_sends_all_again()
    {
        using var scene = new StoreScene();
        scene.Server.KnowsRanges = false;
        scene.Server.ThenCut(150_000);
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Equal([null, 150_000], scene.Server.Requests.Select(request => request.From));
    }

    [Fact]
    public async Task File_changed_between_tries_is_taken_from_its_beginning()
    {
        using var scene = new StoreScene();
        scene.Server.File = StoreScene.Bytes(150_000, seed: 3);
        scene.Server.ThenCut(70_000).Then(request =>
        {
            scene.Server.File = scene.Content;
            scene.Server.ETag = "\"v2\"";
            return scene.Server.Honest(request);
        });
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Equal("\"v1\"", scene.Server.Requests[1].Header("If-Range"));
        Assert.Equal(2, scene.Server.Requests.Count);
    }

    [Fact]
    public async Task Changed_file_is_noticed_where_the_server_ignores_if_range()
    {
        using var scene = new StoreScene();
        scene.Published = scene.Published with { Hash = null };
        var changed = StoreScene.Bytes(200_000, seed: 3);
        var rangeAlone = new Dictionary<string, string> { ["Range"] = "bytes=70000-" };
        scene.Server.ThenCut(70_000).Then(request =>
        {
            scene.Server.File = changed;
            scene.Server.ETag = "\"v2\"";
            return scene.Server.Honest(request with { Headers = rangeAlone });
        });
        await scene.PullAsync();
        scene.AssertStored(changed);
        Assert.Equal([null, 70_000, null], scene.Server.Requests.Select(request => request.From));
    }

    [Fact]
    public async Task Last_modified_vouches_where_the_tag_is_weak()
    {
        using var scene = new StoreScene();
        scene.Published = scene.Published with { Hash = null };
        scene.Server.ETag = "W/\"v1\"";
        scene.Server.LastModified = new(2020, 1, 2, 3, 4, 5, TimeSpan.Zero);
        await scene.InterruptAfterAsync(70_000);
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Equal("Thu, 02 Jan 2020 03:04:05 GMT", scene.Server.Requests[1].Header("If-Range"));
    }

    [Fact]
    public async Task Answer_of_another_range_is_not_pasted_in()
    {
        using var scene = new StoreScene();
        scene.Server.ThenCut(70_000).Then(_ => new("206 Partial Content")
        {
            Body = scene.Content[60_000..],
            Headers = ["ETag: \"v1\"", "Content-Range: bytes 60000-199999/200000"],
        });
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Equal([null, 70_000, null], scene.Server.Requests.Select(request => request.From));
    }

    [Fact]
    public async Task Range_sent_in_pieces_is_put_together()
    {
        using var scene = new StoreScene();
        scene.Published = scene.Published with { Hash = null };
        scene.Server.ThenCut(70_000).Then(_ => new("206 Partial Content")
        {
            Body = scene.Content[70_000..100_000],
            Headers = ["ETag: \"v1\"", "Content-Range: bytes 70000-99999/200000"],
        });
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Equal([null, 70_000, 100_000], scene.Server.Requests.Select(request => request.From));
    }

    [Theory]
    [InlineData("Content-Type: text/html; charset=utf-8", "a web page (text/html)")]
    [InlineData("Content-Encoding: gzip", "compressed (gzip)")]
    public async Task Answer_that_cannot_be_the_file_is_not_taken_on_trust(string header, string reason)
    {
        using var scene = new StoreScene();
        scene.Published = scene.Published with { Hash = null };
        scene.Server.ThenStatus("200 OK", header);
        var error = await scene.PullFailsAsync();
        scene.AssertNothingStored();
        error.AssertSays(reason);
        Assert.Single(scene.Server.Requests);
    }

    [Fact]
    public async Task Partial_file_that_is_already_too_long_is_started_afresh()
    {
        using var scene = new StoreScene();
        await scene.InterruptAfterAsync(70_000);
        scene.Server.File = scene.Content[..50_000];
        scene.Published = scene.Published with { Hash = FileHash.Sha256(StoreScene.Sha256(scene.Server.File)) };
        await scene.PullAsync();   // asks from 70,000, hears 416 with */50000
        scene.AssertStored(scene.Server.File);
        Assert.Equal([null, 70_000, null], scene.Server.Requests.Select(request => request.From));
    }

    [Fact]
    public async Task Mirror_is_asked_first_and_the_publisher_after_it()
    {
        using var scene = new StoreScene();
        using var mirror = new HostileServer(scene.Content);
        mirror.ThenStatus("404 Not Found");
        scene.Options = scene.Options with { Mirror = mirror.Address("weights/") };
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Equal("/weights/net-weights.bin", Assert.Single(mirror.Requests).Path);
        Assert.Single(scene.Server.Requests);

        scene.Store.Remove(StoreScene.FileName);
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Single(scene.Server.Requests);
    }

    [Fact]
    public async Task Mirror_with_a_wrong_file_gives_way_to_the_publisher()
    {
        using var scene = new StoreScene();
        using var mirror = new HostileServer(StoreScene.Bytes(200_000, seed: 2));
        scene.Options = scene.Options with { Mirror = mirror.Address() };
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Single(mirror.Requests);
    }

    [Fact]
    public async Task Publisher_goes_on_where_a_mirror_broke_down()
    {
        using var scene = new StoreScene();
        using var mirror = new HostileServer(scene.Content) { ETag = "\"mirror\"" };
        mirror.ThenCut(120_000).ThenStatus("404 Not Found");
        scene.Options = scene.Options with { Mirror = mirror.Address() };
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Equal(120_000, Assert.Single(scene.Server.Requests).From);
        Assert.Null(scene.Server.Requests[0].Header("If-Range"));
    }

    [Fact]
    public async Task Pieces_that_do_not_fit_together_are_fetched_again_as_one()
    {
        using var scene = new StoreScene();
        using var mirror = new HostileServer(StoreScene.Bytes(200_000, seed: 2));
        mirror.ThenCut(120_000).ThenStatus("404 Not Found");
        scene.Options = scene.Options with { Mirror = mirror.Address() };
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Equal([120_000, null], scene.Server.Requests.Select(request => request.From));
    }

    [Fact]
    public async Task Partial_download_with_a_rotten_beginning_heals()
    {
        using var scene = new StoreScene();
        await scene.InterruptAfterAsync(100_000);
        var rotten = await File.ReadAllBytesAsync(scene.PartialPath, Cancellation);
        rotten[500] ^= 1;
        await File.WriteAllBytesAsync(scene.PartialPath, rotten, Cancellation);
        await scene.PullAsync();
        scene.AssertStored();
        Assert.Equal([null, 100_000, null], scene.Server.Requests.Select(request => request.From));
    }
}
