using System.Diagnostics;
using Graft.Data;
using Graft.Data.Remote;
using Graft.Features;
using Graft.Runs;
using Graft.Testing;
using Graft.Tests.Data.Collections;
using Graft.Tests.Features;

namespace Graft.Tests.Data.Remote;

/// <summary>Photos in object storage and on web servers, from a server on this machine. Its address is in the environment of the process.</summary>
[CollectionDefinition(nameof(RemotePhotosTests), DisableParallelization = true)]
[Collection(nameof(RemotePhotosTests))]
public sealed class RemotePhotosTests : IDisposable
{
    private const string Place = "s3://bucket/flowers";

    /// <summary>Where nothing is held back, no photo is looked at to find copies.</summary>
    private static readonly LabeledImagesOptions Unread = new() { ValidationShare = 0 };

    private readonly ObjectServer _server = new();
    private readonly FeatureScene _scene = new();
    private readonly TemporaryFolder _out = new();
    private readonly FeatureBlocks _features = new(FeatureScene.Backbone());

    public RemotePhotosTests()
    {
        Environment.SetEnvironmentVariable("AWS_ENDPOINT_URL", _server.Address);
        Environment.SetEnvironmentVariable("AWS_ACCESS_KEY_ID", "SECRET-ID");
        Environment.SetEnvironmentVariable("AWS_SECRET_ACCESS_KEY", "SECRET-KEY");
        Environment.SetEnvironmentVariable("AWS_REGION", "eu-central-1");
        ObjectStore.ConnectAgain();
        ObjectStore.Patience = new() { Attempts = 3, Delay = TimeSpan.FromMilliseconds(1), Stall = TimeSpan.FromSeconds(2) };
        Begin();
        _scene.Photos(20, classes: 2);
        // A copy of a photo, a name to escape, and what is no image.
        File.Copy(Path.Combine(_scene.FullName, "class0/000.png"), Path.Combine(_scene.FullName, "class0/copy of 0 + 1%.png"));
        File.WriteAllText(Path.Combine(_scene.FullName, "class1/readme.txt"), "notes");
        foreach (var file in Directory.GetFiles(_scene.FullName, "*", SearchOption.AllDirectories))
            _server.Files[$"bucket/flowers/{Path.GetRelativePath(_scene.FullName, file).Replace('\\', '/')}"] = File.ReadAllBytes(file);
    }

    public void Dispose()
    {
        ObjectStore.Patience = new();
        foreach (var name in (string[])["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"]) Environment.SetEnvironmentVariable(name, null);
        RemotePhotos.Forget(_out.File("objects"));
        _features.Dispose();
        _scene.Dispose();
        _out.Dispose();
        _server.Dispose();
    }

    private string Text(string file) => File.ReadAllText(Path.Combine(_out.FullName, file));

    /// <summary>As a new process on the same machine does.</summary>
    private void Begin() => RemotePhotos.Forget(_out.File("objects"));

    private static IEnumerable<(string Path, string Class)> Rows(LabeledImages photos, IReadOnlyList<LabeledImage> part, string root) =>
        part.Select(image => (image.Path[(root.Length + 1)..].Replace('\\', '/'), photos.Classes[image.Class]));

    private FeatureSet Extract(LabeledImages photos, FeatureCache? cache = null) => _features.Extract([.. photos.All], cache, cancellation: TestContext.Current.CancellationToken);

    private static void AssertSame(FeatureSet expected, FeatureSet found)
    {
        Assert.Equal(expected.Rows.SelectMany(row => row), found.Rows.SelectMany(row => row));
        Assert.Equal(expected.Hashes.Select(Convert.ToHexString), found.Hashes.Select(Convert.ToHexString));
    }

    private void AssertIsTheFolder(LabeledImages found, string root)
    {
        var expected = LabeledImages.Load(_scene.FullName);
        Assert.Equal(expected.Classes, found.Classes);
        Assert.Equal(Rows(expected, expected.Train, _scene.FullName), Rows(found, found.Train, root));
        Assert.Equal(Rows(expected, expected.Validation, _scene.FullName), Rows(found, found.Validation, root));
        AssertSame(Extract(expected), Extract(found));
    }

    [Fact]
    public void A_prefix_of_a_bucket_is_the_folder_that_was_copied_there()
    {
        var found = LabeledImages.Load($"{Place}/");

        AssertIsTheFolder(found, Place);
        Assert.False(found.Train[0].IsFile);
        Assert.Contains(found.Skipped, file => file.Path == $"{Place}/class1/readme.txt" && file.Reason == "not an image");
        // Its first bytes have told.
        Assert.Equal("bytes=0-4", _server.Requests.Last(request => request.Path.EndsWith("readme.txt", StringComparison.Ordinal)).Range);
        Assert.Equal(21, PhotoPaths.Find(Place).Photos.Count);
        Assert.Equal([$"{Place}/class0/000.png"], PhotoPaths.Find($"{Place}/class0/000.png").Photos);
        Assert.Equal(Checked(LabeledImages.Load(_scene.FullName)), Checked(found));

        static IEnumerable<(string, string)> Checked(LabeledImages photos) => DataCheck.Run(photos, cancellation: TestContext.Current.CancellationToken).Images.Select(image => (image.File, image.Hash));
    }

    [Fact]
    public async Task Training_from_a_bucket_is_that_from_the_folder()
    {
        var (local, remote) = (await Train(_scene.FullName, "local"), await Train(Place, "remote"));

        Assert.Equal(local.Predictions.Images.Select(image => string.Join(' ', image.Probabilities)), remote.Predictions.Images.Select(image => string.Join(' ', image.Probabilities)));
        Assert.Equal(local.Validation.Accuracy, remote.Validation.Accuracy);
        Assert.Contains("\"photos\": \"s3://bucket/flowers\"", Text("remote/run.json"), StringComparison.Ordinal);
        foreach (var file in Directory.GetFiles(_out.File("remote"), "*", SearchOption.AllDirectories))
            Assert.DoesNotContain("SECRET", Text(file), StringComparison.Ordinal);

        Task<TrainingRun> Train(string photos, string folder) => TrainingRun.ExecuteAsync(
            new() { Photos = photos, Backbones = [new() { Name = "tiny" }], Classifier = "logistic", Cache = false }, _out.File(folder), cancellation: TestContext.Current.CancellationToken);
    }

    [Fact]
    public void Photos_are_fetched_once_and_the_next_time_not_at_all()
    {
        using var cache = FeatureCache.Open(_out.File("features"));
        var first = Extract(LabeledImages.Load(Place, Unread), cache);
        Assert.Equal(21, _server.Requests.Count(request => request.Path.EndsWith(".png", StringComparison.Ordinal)));
        Assert.Equal(20, first.CacheMisses);

        Begin();
        _server.Requests.Clear();
        var second = Extract(LabeledImages.Load(Place, Unread), cache);
        Assert.DoesNotContain(_server.Requests, request => request.Path.EndsWith(".png", StringComparison.Ordinal));
        Assert.Equal(0, second.CacheMisses);
        AssertSame(first, second);

        // One that has changed is fetched, by itself.
        Begin();
        _server.Files["bucket/flowers/class1/001.png"] = _server.Files["bucket/flowers/class1/003.png"];
        _server.Requests.Clear();
        var third = Extract(LabeledImages.Load(Place, Unread), cache);
        Assert.Equal("bucket/flowers/class1/001.png", Assert.Single(_server.Requests, request => request.Path.EndsWith(".png", StringComparison.Ordinal)).Path);
        Assert.Equal(0, third.CacheMisses);
        Assert.Equal(third.Hashes[12], third.Hashes[11]);
    }

    [Theory]
    [InlineData("tar")]
    [InlineData("zip")]
    [InlineData("parquet")]
    public async Task An_archive_in_a_bucket_is_the_archive(string kind)
    {
        var members = Directory.GetFiles(_scene.FullName, "*.png", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(file => (Name: Path.GetRelativePath(_scene.FullName, file).Replace('\\', '/'), Content: File.ReadAllBytes(file))).ToList();
        var file = _out.File($"train-000.{kind}");
        if (kind == "tar") Packed.Tar(file, members);
        else if (kind == "zip") Packed.Zip(file, members);
        else await Packed.Parquet(file, [.. members.Select(member => ((byte[]?)member.Content, (string?)Path.GetFileName(member.Name), (long?)(member.Name[5] - '0')))], ["class0", "class1"], rowsAGroup: 5);
        _server.Files[$"bucket/shards/train-000.{kind}"] = File.ReadAllBytes(file);
        var expected = LabeledImages.Load(file);

        var (bucket, web) = ("s3://bucket/shards", $"{_server.Address}/bucket/shards");
        List<(string Place, string Root)> places = [($"{bucket}/train-000.{kind}", bucket), ($"{web}/train-000.{kind}?sig=SECRET", web)];
        // Several archives without labels inside are classes.
        if (kind == "parquet") places.AddRange([($"{bucket}/train-*.{kind}", bucket), ($"{web}/train-{{000..000}}.{kind}", web), (bucket, bucket)]);

        foreach (var (place, root) in places)
        {
            var found = LabeledImages.Load(place);
            Assert.Equal(Rows(expected, expected.Train, file), Rows(found, found.Train, $"{root}/train-000.{kind}"));
            Assert.Equal(Rows(expected, expected.Validation, file), Rows(found, found.Validation, $"{root}/train-000.{kind}"));
            AssertSame(Extract(expected), Extract(found));
        }
        Assert.All(_server.Requests.Where(request => request.Path.EndsWith(kind, StringComparison.Ordinal)), request => Assert.NotNull(request.Range));
    }

    [Fact]
    public void Labels_beside_photos_of_a_shard_are_read_with_its_headers()
    {
        var members = Enumerable.Range(0, 10).SelectMany(number => (IEnumerable<(string, byte[])>)
            [($"{number:D3}.png", _server.Files[$"bucket/flowers/class{number % 2}/{number:D3}.png"]), ($"{number:D3}.cls", Packed.Text($"{number % 2}"))]);
        _server.Files["bucket/shards/0.tar"] = File.ReadAllBytes(Packed.Tar(_out.File("0.tar"), members));

        var photos = LabeledImages.Load("s3://bucket/shards", new() { ValidationShare = 0 });

        Assert.Equal(10, photos.Train.Count);
        // Whether it is there, and all of it.
        Assert.Equal(["bytes=0-0", $"bytes=0-{_server.Files["bucket/shards/0.tar"].Length - 1}"], _server.Requests.Where(request => request.Path.EndsWith(".tar", StringComparison.Ordinal)).Select(request => request.Range));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_list_on_a_web_server_names_photos_as_in_folders(bool isFull)
    {
        var root = $"{_server.Address}/bucket/flowers";
        var names = _server.Files.Keys.Where(key => key.EndsWith(".png", StringComparison.Ordinal)).Select(key => key["bucket/flowers/".Length..].Replace("%", "%25", StringComparison.Ordinal)).Order(StringComparer.Ordinal);
        _server.Files["bucket/flowers/photos.txt"] = Packed.Text($"# flowers\n\n{string.Join('\n', names.Select(name => isFull ? $"{root}/{name}" : $"./{name}"))}\n");
        File.Move(Path.Combine(_scene.FullName, "class0/copy of 0 + 1%.png"), Path.Combine(_scene.FullName, "class0/copy of 0 + 1%25.png"));

        AssertIsTheFolder(LabeledImages.Load($"{root}/photos.txt"), root);
        Assert.Equal(21, PhotoPaths.Find($"{root}/photos.txt").Photos.Count);
    }

    [Fact]
    public void A_table_names_photos_beside_it_and_anywhere()
    {
        var root = $"{_server.Address}/bucket/flowers";
        var rows = Enumerable.Range(0, 20).Select(number => (number % 4) switch
        {
            0 => $"class{number % 2}/{number:D3}.png,class{number % 2}",
            1 => $"{Place}/class{number % 2}/{number:D3}.png,class{number % 2}",
            _ => $"{root}/class{number % 2}/{number:D3}.png?X-Amz-Signature=SECRET{number},class{number % 2}",
        });
        _server.Files["bucket/flowers/labels.csv"] = Packed.Text($"path,label\n{string.Join('\n', rows)}\n");

        foreach (var table in (string[])[$"{root}/labels.csv", $"{Place}/labels.csv"])
        {
            var photos = LabeledImages.Load(table, new() { ValidationShare = 0 });
            Assert.Equal((20, "class0"), (photos.Train.Count, photos.Classes[0]));
            Assert.Equal(20, Extract(photos).Rows.Count);
            Assert.DoesNotContain(photos.Train, image => image.Path.Contains("SECRET", StringComparison.Ordinal));
        }
        Assert.Contains(_server.Requests, request => request.Query == "?X-Amz-Signature=SECRET2");
    }

    [Fact]
    public async Task A_signature_is_sent_and_stands_in_no_file_and_no_message()
    {
        _server.Files["bucket/flowers.zip"] = File.ReadAllBytes(Packed.Zip(_out.File("flowers.zip"), _server.Files.Where(file => file.Key.EndsWith(".png", StringComparison.Ordinal)).Select(file => (file.Key["bucket/flowers/".Length..], file.Value))));
        _server.Misbehave = (_, _) => _server.Requests.Last().Query == "?X-Amz-Signature=SECRET" ? null : new(403);
        var request = new TrainingRequest { Photos = $"{_server.Address}/bucket/flowers.zip?X-Amz-Signature=SECRET#top", Backbones = [new() { Name = "tiny" }], Classifier = "logistic", Cache = false };

        await TrainingRun.ExecuteAsync(request, _out.File("run"), cancellation: TestContext.Current.CancellationToken);

        foreach (var file in Directory.GetFiles(_out.File("run"), "*", SearchOption.AllDirectories)) Assert.DoesNotContain("SECRET", Text(file), StringComparison.Ordinal);
        Assert.DoesNotContain("SECRET", request.ToJson(), StringComparison.Ordinal);
        _server.Misbehave = (_, _) => new(403);
        var refused = Assert.Throws<RemoteException>(() => LabeledImages.Load(request.Photos)).Message;
        Assert.Contains("Its signature has expired", refused, StringComparison.Ordinal);
        Assert.DoesNotContain("SECRET", refused, StringComparison.Ordinal);
        Assert.DoesNotContain("hidden", Assert.Throws<GraftException>(() => LabeledImages.Load("https://me:hidden@host/photos.txt")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_passes_is_tried_again()
    {
        var photos = LabeledImages.Load(Place, Unread);
        _server.Misbehave = (path, before) => (path[^5], before) switch
        {
            ('0', 0) => new(503, "SlowDown"),
            ('1', < 2) => new(IsHalf: true),
            ('2', 0) => new(500, "InternalError"),
            ('3', 0) => new(IsSilent: true),
            _ => null,
        };

        AssertSame(Extract(LabeledImages.Load(_scene.FullName, Unread)), Extract(photos));
        Assert.True(_server.Requests.Count > 21 + 7 + 1, "Nothing was tried again.");
    }

    [Theory]
    [InlineData(403, "AccessDenied", "", "access is refused (403 AccessDenied). Check that the credentials (AWS_PROFILE")]
    [InlineData(403, "InvalidAccessKeyId", "", "403 InvalidAccessKeyId")]
    [InlineData(400, "AuthorizationHeaderMalformed", "the region 'eu-central-1' is wrong; expecting 'us-west-2'", "lies in another region. Set AWS_REGION to it (AuthorizationHeaderMalformed: the region 'eu-central-1' is wrong; expecting 'us-west-2')")]
    [InlineData(503, "SlowDown", "", "answers 503 SlowDown (tried 3 times)")]
    [InlineData(404, "NoSuchBucket", "", "there is no bucket bucket at http://127.0.0.1")]
    public void A_refusal_is_said_with_what_to_do(int status, string code, string message, string expected)
    {
        _server.Misbehave = (_, _) => new(status, code, Message: message);

        var problem = Assert.Throws<RemoteException>(() => LabeledImages.Load(Place)).Message;

        Assert.Contains(expected, problem, StringComparison.Ordinal);
        Assert.StartsWith($"'{Place}': ", problem, StringComparison.Ordinal);
        Assert.DoesNotContain("SECRET", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_fault_amid_the_work_ends_it_with_the_objects_name()
    {
        foreach (var (misdeed, expected) in ((Misdeed, string)[])
            [
                (new(IsHalf: true), "'s3://bucket/flowers/class1/003.png': the connection was cut"),
                (new(403, "AccessDenied"), "'s3://bucket/flowers/class1/003.png': access is refused"),
                (new(IsSilent: true), "'s3://bucket/flowers/class1/003.png': nothing came for 2 s"),
            ])
        {
            Begin();
            _server.Misbehave = (_, _) => null;
            var photos = LabeledImages.Load(Place, Unread);
            _server.Misbehave = (path, _) => path.EndsWith("003.png", StringComparison.Ordinal) ? misdeed : null;
            var clock = Stopwatch.StartNew();

            Assert.Contains(expected, Assert.Throws<RemoteException>(() => Extract(photos)).Message, StringComparison.Ordinal);
            Assert.Contains(expected, Assert.Throws<RemoteException>(() => TrainingDataCheck.Of(photos, TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
            Assert.InRange(clock.Elapsed.TotalSeconds, 0, 30);
        }
    }

    [Fact]
    public void An_object_that_has_gone_is_one_bad_photo_and_one_that_has_grown_is_said()
    {
        var photos = LabeledImages.Load(Place, Unread);
        _server.Files.Remove("bucket/flowers/class1/003.png", out _);
        var broken = Assert.Single(Extract(photos).Broken);
        Assert.Equal(($"{Place}/class1/003.png", $"'{Place}/class1/003.png': there is no such object (404)."), (broken.Path, broken.Reason));

        Begin();
        photos = LabeledImages.Load(Place, Unread);
        _server.Files["bucket/flowers/class1/005.png"] = [1, 2, 3];
        Assert.Contains("class1/005.png': has 3 bytes, and the listing says", Assert.Throws<RemoteException>(() => Extract(photos)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_shard_that_changes_while_it_is_read_is_refused()
    {
        var members = _server.Files.Where(file => file.Key.EndsWith(".png", StringComparison.Ordinal)).Select(file => (file.Key["bucket/flowers/".Length..], file.Value)).ToList();
        _server.Files["bucket/flowers.tar"] = File.ReadAllBytes(Packed.Tar(_out.File("flowers.tar"), members));
        var photos = LabeledImages.Load("s3://bucket/flowers.tar", Unread);
        _server.Files["bucket/flowers.tar"] = File.ReadAllBytes(Packed.Tar(_out.File("flowers.tar"), members.AsEnumerable().Reverse()));

        Assert.Contains("'s3://bucket/flowers.tar': has changed while it was read", Assert.Throws<RemoteException>(() => Extract(photos)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_not_there_is_said_at_once()
    {
        _server.Files["bucket/empty.txt"] = Packed.Text("# nothing\n");
        _server.Files["bucket/away.txt"] = Packed.Text("https://elsewhere.example/1.jpg\n");
        _server.Files["bucket/whole.tar"] = File.ReadAllBytes(Packed.Tar(_out.File("whole.tar"), ("a/1.jpg", [1])));
        _server.Misbehave = (path, _) => path.EndsWith("whole.tar", StringComparison.Ordinal) ? new(IgnoresRanges: true) : null;

        Assert.Equal("There are no objects below 's3://bucket/Flowers/'. Check the bucket and the prefix, upper and lower case included.", Problem("s3://bucket/Flowers"));
        Assert.Equal("'s3://bucket/none.tar': there is no such object (404).", Problem("s3://bucket/none.tar"));
        Assert.Contains("there is no such file (404", Problem($"{_server.Address}/bucket/none.txt"), StringComparison.Ordinal);
        Assert.Contains("names no photos. Expected a path a line", Problem($"{_server.Address}/bucket/empty.txt"), StringComparison.Ordinal);
        Assert.Contains("which does not lie below", Problem($"{_server.Address}/bucket/away.txt"), StringComparison.Ordinal);
        Assert.Contains("the server sends whole files only", Problem($"{_server.Address}/bucket/whole.tar"), StringComparison.Ordinal);
        Assert.Contains("web servers do not say what is in a folder", Problem($"{_server.Address}/bucket/flowers"), StringComparison.Ordinal);
        Assert.Contains("cannot be reached", Problem("http://127.0.0.1:9/photos.txt"), StringComparison.Ordinal);
        Assert.Contains("names no bucket", Problem("s3:///flowers"), StringComparison.Ordinal);

        static string Problem(string place) => Assert.ThrowsAny<GraftException>(() => LabeledImages.Load(place)).Message;
    }
}
