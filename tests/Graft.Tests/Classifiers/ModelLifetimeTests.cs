using System.Net;
using System.Security.Cryptography;
using Graft.Backbones;
using Graft.Checkpoints;
using Graft.Checkpoints.Store;
using Graft.Classifiers;
using Graft.Imaging;
using Graft.Networks;
using Graft.Testing;
using Graft.Tests.Features;

namespace Graft.Tests.Classifiers;

/// <summary>Who keeps weights open, what many threads may do, and what a file that changes does.</summary>
public class ModelLifetimeTests
{
    private static readonly string[] Classes = ["a", "b", "c"];

    private static ImageClassifier Classifier(Backbone features)
    {
        var builder = new NetworkBuilder("tiny", [new("features", Input.Of(features.Network.OutputShape), [])]);
        using var head = new TorchNetwork(builder.Build(Head.Softmax.Build(builder.Node("features"), Classes.Length)), new RandomWeights(1));
        return ImageClassifier.Of(features, head, Classes);
    }

    private static ImageClassifier Classifier() => Classifier(FeatureScene.Backbone());

    [Fact]
    public void Model_outlives_the_backbone_it_was_trained_from()
    {
        using var scene = new FeatureScene();
        using var folder = new TemporaryFolder();
        var photo = scene.Photo(1).Path;
        ImageClassifier model;
        using (var backbone = Backbone.Load(EmbeddedBackbone.Name)) model = Classifier(backbone.Features());
        using (model)
        {
            Assert.Equal(Classes.Length, model.Predict(photo).Probabilities.Count);
            model.Save(folder.File("model.safetensors"));
        }
        using var opened = ImageClassifier.Open(folder.FullName);
        var further = opened.Blocks[0];
        opened.Dispose();
        Assert.Throws<ObjectDisposedException>(() => further.Fingerprint);
    }

    [Fact]
    public async Task One_photo_is_predicted_alike_from_path_stream_bytes_and_pixels()
    {
        using var scene = new FeatureScene();
        using var model = Classifier();
        var path = scene.Photo(3).Path;
        var cancellation = TestContext.Current.CancellationToken;
        var bytes = await File.ReadAllBytesAsync(path, cancellation);
        var expected = model.Predict([path], cancellation: cancellation).Read[0].Probabilities;

        using var stream = new MemoryStream(bytes);
        using var again = new MemoryStream(bytes);
        Assert.Equal(expected, model.Predict(path).Probabilities);
        Assert.Equal(expected, model.Predict(stream).Probabilities);
        Assert.Equal(expected, model.Predict(bytes).Probabilities);
        Assert.Equal(expected, model.Predict(ImageDecoder.Decode(path)).Probabilities);
        Assert.Equal(expected, (await model.PredictAsync(path, cancellation)).Probabilities);
        Assert.Equal(expected, (await model.PredictAsync(again, cancellation)).Probabilities);
        Assert.Equal((path, ""), (model.Predict(path).Path, model.Predict(bytes).Path));
    }

    [Fact]
    public async Task What_names_no_photo_is_an_argument_error()
    {
        using var scene = new FeatureScene();
        using var model = Classifier();
        Assert.Throws<ArgumentException>(() => model.Predict(""));
        Assert.Throws<ArgumentNullException>(() => model.Predict((string)null!));
        Assert.Contains("is a folder", Assert.Throws<ArgumentException>(() => model.Predict(scene.FullName)).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(() => model.PredictAsync("", TestContext.Current.CancellationToken));
        var missing = Path.Combine(scene.FullName, "nowhere.jpg");
        Assert.Equal(missing, Assert.Throws<UnreadableImageException>(() => model.Predict(missing)).Path);
        Assert.Equal(missing, (await Assert.ThrowsAsync<UnreadableImageException>(() => model.PredictAsync(missing, TestContext.Current.CancellationToken))).Path);
    }

    [Fact]
    public void Sixteen_threads_predict_the_same_bits_as_one()
    {
        using var scene = new FeatureScene();
        using var model = Classifier();
        byte[][] photos = [.. scene.Photos(10).Select(photo => File.ReadAllBytes(photo.Path))];
        var expected = photos.Select(photo => model.Predict(photo).Probabilities.ToArray()).ToList();

        var different = 0;
        OnThreads(16, thread =>
        {
            for (var i = 0; i < 1000; i++)
            {
                var photo = (thread + i) % photos.Length;
                if (!model.Predict(photos[photo]).Probabilities.SequenceEqual(expected[photo])) Interlocked.Increment(ref different);
            }
        });

        Assert.Equal(0, different);
    }

    [Fact]
    public void Dispose_lets_predictions_in_progress_finish_and_refuses_later_ones()
    {
        using var scene = new FeatureScene();
        using var folder = new TemporaryFolder();
        var photo = File.ReadAllBytes(scene.Photo(1).Path);
        float[] expected;
        using (var model = Classifier())
        {
            expected = [.. model.Predict(photo).Probabilities];
            model.Save(folder.File("model.safetensors"));
        }
        var current = ImageClassifier.Open(folder.FullName);
        var (finished, refused, wrong, stop) = (0, 0, 0, false);
        var swapping = new Thread(() =>
        {
            for (var tries = 0; tries < 1000; tries++)
            {
                var before = current;
                Volatile.Write(ref current, ImageClassifier.Open(folder.FullName));
                before.Dispose();
            }
            Volatile.Write(ref stop, true);
        });
        swapping.Start();
        OnThreads(4, _ =>
        {
            while (!Volatile.Read(ref stop))
            {
                try
                {
                    if (!Volatile.Read(ref current).Predict(photo).Probabilities.SequenceEqual(expected)) Interlocked.Increment(ref wrong);
                    Interlocked.Increment(ref finished);
                }
                catch (ObjectDisposedException)
                {
                    Interlocked.Increment(ref refused);
                }
            }
        });
        swapping.Join();
        current.Dispose();

        Assert.Equal(0, wrong);
        Assert.True(finished > 0);
        Assert.Throws<ObjectDisposedException>(() => current.Predict(photo));
        Assert.Throws<ObjectDisposedException>(() => current.Predict([scene.Photo(1).Path], cancellation: TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void File_that_changes_after_opening_is_an_error(bool isRewritten)
    {
        using var scene = new FeatureScene();
        using var folder = new TemporaryFolder();
        var path = folder.File("model.safetensors");
        using (var model = Classifier()) model.Save(path);
        using var opened = ImageClassifier.Open(path);

        using (var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            if (isRewritten)
            {
                file.Position = file.Length - 8;
                file.Write(new byte[8]);
            }
            else
            {
                file.SetLength(512);
            }
        }
        if (isRewritten) File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddSeconds(1));

        var problem = Assert.Throws<CheckpointException>(() => opened.Predict(scene.Photo(1).Path));
        Assert.Equal("file-changed", problem.Code);
        Assert.Contains(path, problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void File_replaced_by_renaming_leaves_the_opened_model_as_it_was()
    {
        using var scene = new FeatureScene();
        using var folder = new TemporaryFolder();
        var (path, photo) = (folder.File("model.safetensors"), scene.Photo(1).Path);
        using var model = Classifier();
        model.Save(path);
        using var opened = ImageClassifier.Open(path);
        using (var other = Classifier(FeatureScene.Backbone(seed: 7))) other.Save(path);

        Assert.Equal(model.Predict(photo).Probabilities, opened.Predict(photo).Probabilities);
    }

    [Fact]
    public async Task LoadAsync_downloads_verifies_and_keeps_the_weights()
    {
        using var folder = new TemporaryFolder();
        var definition = BackboneCatalog.Find("squeezenet1_1");
        var network = definition.Build();
        var random = new RandomWeights(5);
        var file = folder.File("squeezenet");
        SafetensorsWriter.Write(file, [.. network.Parameters.Select(parameter =>
        {
            var values = new float[parameter.ElementCount];
            random.Read(parameter, values);
            return new TensorSource(parameter.Key, TensorType.Float32, [.. parameter.Shape.Select(size => (long)size)], values);
        })], new Dictionary<string, string>());
        var content = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        var publisher = new Publisher(content);
        var store = new WeightStore(new() { Folder = folder.File("store"), Handler = publisher });
        store.Pin(definition.Weights[0].File!, FileHash.Sha256(Convert.ToHexStringLower(SHA256.HashData(content))));

        for (var time = 0; time < 2; time++)
        {
            using var backbone = await Backbone.LoadAsync("squeezenet1_1", store: store, cancellation: TestContext.Current.CancellationToken);
            Assert.Equal(random.Fingerprint(network), backbone.Fingerprint);
        }

        Assert.Equal(1, publisher.Requests);
        var offline = new WeightStore(new() { Folder = folder.File("empty"), Offline = true });
        await Assert.ThrowsAnyAsync<GraftException>(
            () => Backbone.LoadAsync("squeezenet1_1", store: offline, cancellation: TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Errors_of_the_library_have_a_code_and_no_command_line()
    {
        using var folder = new TemporaryFolder();
        var missing = Assert.Throws<GraftException>(() => ImageClassifier.Open(folder.File("nowhere")));
        Assert.Equal("model-missing", missing.Code);
        File.WriteAllText(folder.File("run.json"), "{}");
        Assert.Equal("run-unfinished", Assert.Throws<GraftException>(() => ImageClassifier.Open(folder.FullName)).Code);
        var problem = new GraftException("It failed.") { Remedy = "Try again." };
        Assert.Equal(("It failed. Try again.", "It failed."), (problem.Message, problem.Problem));
        Assert.DoesNotContain("graft ", missing.Message, StringComparison.Ordinal);
    }

    private static void OnThreads(int count, Action<int> work)
    {
        var failures = new List<Exception>();
        Thread[] threads = [.. Enumerable.Range(0, count).Select(number => new Thread(() =>
        {
            try
            {
                work(number);
            }
            catch (Exception failure)
            {
                lock (failures) failures.Add(failure);
            }
        }))];
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        if (failures.Count > 0) throw new AggregateException(failures);
    }

    private sealed class Publisher(byte[] content) : HttpMessageHandler
    {
        public int Requests { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Requests++;
            return Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new ByteArrayContent(content), RequestMessage = request });
        }
    }
}
