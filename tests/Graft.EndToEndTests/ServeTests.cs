using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Graft.Cli.Serve;
using Graft.Imaging;
using Graft.Inference;
using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary><c>graft export</c> and <c>graft serve</c>: every answer is the exported model's.</summary>
public sealed class ServeTests(ServeTests.ExportedModel exported) : IClassFixture<ServeTests.ExportedModel>
{
    /// <summary>A run, trained and exported once for all tests, and a server with small limits.</summary>
    public sealed class ExportedModel : IDisposable
    {
        private readonly TemporaryFolder _folder = new();
        private readonly DrawnPhotos _photos = new();
        private readonly Process _server;

        public ExportedModel()
        {
            Graft = new(_folder.FullName);
            Run = Path.Combine(_folder.FullName, "run");
            var training = Graft.Run("train", _photos.Folder, "--classifier", "logistic", "--out", Run);
            Assert.True(training.ExitCode == 0, training.ToString());
            Model = Path.Combine(_folder.FullName, "exported", "drawn.onnx");
            Export = Graft.Run("export", Run, "--out", Model, "--json");
            Assert.True(Export.ExitCode == 0, Export.ToString());
            Photos = [.. Directory.EnumerateFiles(_photos.Folder, "*.jpg", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Take(20)];
            Served = Path.Combine(_folder.FullName, "live.onnx");
            File.Copy(Model, Served);
            _server = Graft.Start("serve", Served, "--port", "0", "--name", "drawn", "--max-body", "1", "--max-pixels", "1");
            var line = _server.StandardOutput.ReadLine() ?? throw new InvalidOperationException(_server.StandardError.ReadToEnd());
            Client = new() { BaseAddress = new(line[line.IndexOf("http", StringComparison.Ordinal)..]), Timeout = TimeSpan.FromMinutes(2) };
        }

        internal GraftCommand Graft { get; }

        public string Run { get; }

        public string Model { get; }

        public string Served { get; }

        internal CommandResult Export { get; }

        public IReadOnlyList<string> Photos { get; }

        public HttpClient Client { get; }

        public void Dispose()
        {
            Client.Dispose();
            _server.Kill();
            _server.WaitForExit();
            _server.Dispose();
            _photos.Dispose();
            _folder.Dispose();
        }
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private HttpClient Client => exported.Client;

    private static ByteArrayContent Image(byte[] bytes, string type = "image/jpeg")
    {
        var content = new ByteArrayContent(bytes);
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        return content;
    }

    private async Task<JsonElement> Post(byte[] photo, string query = "")
    {
        using var response = await Client.PostAsync("predict" + query, Image(photo), Cancellation);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.Content.ReadFromJsonAsync<JsonElement>(Cancellation);
    }

    private static double Probability(JsonElement answer) => answer.GetProperty("probability").GetDouble();

    [Fact]
    public void Export_is_checked_on_the_runs_validation_photos_and_tells_its_accuracy()
    {
        var parity = exported.Export.Json.GetProperty("parity");
        Assert.True(parity.GetProperty("photos").GetInt32() >= 3);
        Assert.Empty(parity.GetProperty("different_classes").EnumerateArray());
        Assert.InRange(parity.GetProperty("largest_difference").GetDouble(), 0, 0.005);
        using var classifier = Classifier.Open(exported.Model);
        Assert.True(classifier.Verify().IsPassed);
        Assert.Contains("validation accuracy", classifier.Facts.Keys);
        var again = exported.Graft.Run("export", exported.Run, "--out", exported.Model);
        Assert.Equal(1, again.ExitCode);
        Assert.Contains("is there already", again.Messages, StringComparison.Ordinal);
        Assert.Contains("--out", again.Messages, StringComparison.Ordinal);
    }

    [Fact]
    public void Exported_model_predicts_what_the_command_predicts()
    {
        using var classifier = Classifier.Open(exported.Model);
        var command = exported.Graft.Run(["predict", exported.Run, .. exported.Photos, "--json"]);

        foreach (var answer in command.Json.GetProperty("predictions").EnumerateArray())
        {
            var path = answer.GetProperty("path").GetString()!;
            Assert.Equal(answer.GetProperty("classes")[0].GetProperty("probability").GetDouble(), classifier.Predict(path).Probability, 0.005);
        }
    }

    [Fact]
    public async Task Every_answer_is_the_exported_models()
    {
        using var classifier = Classifier.Open(exported.Model);
        using var form = new MultipartFormDataContent();
        foreach (var photo in exported.Photos)
        {
            var bytes = await File.ReadAllBytesAsync(photo, Cancellation);
            form.Add(Image(bytes), "photo", Path.GetFileName(photo));
            var answer = await Post(bytes, "?top=2");
            var expected = classifier.Predict(bytes);
            Assert.Equal((expected.Class, 2), (answer.GetProperty("class").GetString(), answer.GetProperty("top").GetArrayLength()));
            Assert.Equal(expected.Probability, Probability(answer), 1e-6);
        }
        using var response = await Client.PostAsync("predict", form, Cancellation);
        var all = (await response.Content.ReadFromJsonAsync<JsonElement>(Cancellation)).GetProperty("predictions").EnumerateArray().ToList();
        Assert.Equal(
            exported.Photos.Select(photo => (Path.GetFileName(photo), classifier.Predict(photo).Class)),
            all.Select(answer => (answer.GetProperty("file").GetString()!, answer.GetProperty("class").GetString()!)));
    }

    [Fact]
    public async Task Open_inference_protocol_takes_pixels()
    {
        using var classifier = Classifier.Open(exported.Model);
        var image = ImageDecoder.Decode(exported.Photos[0]);
        var request = new
        {
            id = "7",
            inputs = new[] { new { name = "image", datatype = "UINT8", shape = (int[])[1, image.Height, image.Width, 3], data = image.Pixels.Select(value => (int)value) } },
        };
        Assert.True((await Client.GetFromJsonAsync<JsonElement>("v2/health/ready", Cancellation)).GetProperty("ready").GetBoolean());
        Assert.Equal("image", (await Client.GetFromJsonAsync<JsonElement>("v2/models/drawn", Cancellation)).GetProperty("inputs")[0].GetProperty("name").GetString());
        var content = JsonSerializer.SerializeToUtf8Bytes(request);
        Assert.SkipWhen(content.Length > 1_000_000, "the server of this test takes bodies of 1 MB");
        using var response = await Client.PostAsync("v2/models/drawn/infer", Image(content, "application/json"), Cancellation);
        var answer = await response.Content.ReadFromJsonAsync<JsonElement>(Cancellation);
        Assert.Equal("7", answer.GetProperty("id").GetString());
        var found = answer.GetProperty("outputs")[0].GetProperty("data").EnumerateArray().Select(value => value.GetSingle());
        Assert.All(classifier.Predict(image).Probabilities.Zip(found), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
    }

    [Theory]
    [InlineData("predict", "text/plain", "hello", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("predict", "image/jpeg", "hello", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("predict", "image/jpeg", "", HttpStatusCode.BadRequest)]
    [InlineData("predict?top=none", "image/jpeg", "hello", HttpStatusCode.BadRequest)]
    [InlineData("predict", "multipart/form-data; boundary=x", "hello", HttpStatusCode.BadRequest)]
    [InlineData("v2/models/drawn/infer", "application/json", "{}", HttpStatusCode.BadRequest)]
    [InlineData("v2/models/drawn/infer", "application/json", "{", HttpStatusCode.BadRequest)]
    [InlineData("v2/models/drawn/infer", "application/json", "{\"inputs\":[{\"name\":\"image\",\"datatype\":\"UINT8\",\"shape\":[1,1,1,3],\"data\":[1,2,\"x\"]}]}", HttpStatusCode.BadRequest)]
    [InlineData("v2/models/other/infer", "application/json", "{}", HttpStatusCode.NotFound)]
    [InlineData("nowhere", "image/jpeg", "hello", HttpStatusCode.NotFound)]
    public async Task Bad_request_is_refused_with_the_reason(string path, string type, string body, HttpStatusCode expected)
    {
        using var response = await Client.PostAsync(path, Image(System.Text.Encoding.UTF8.GetBytes(body), type), Cancellation);

        Assert.Equal(expected, response.StatusCode);
        Assert.NotEmpty((await response.Content.ReadFromJsonAsync<JsonElement>(Cancellation)).GetProperty("error").GetString()!);
    }

    [Fact]
    public async Task Too_large_and_damaged_photos_are_refused_with_the_reason()
    {
        async Task<HttpStatusCode> Status(byte[] photo)
        {
            using var response = await Client.PostAsync("predict", Image(photo), Cancellation);
            return response.StatusCode;
        }
        var sound = await File.ReadAllBytesAsync(exported.Photos[0], Cancellation);
        var wide = JpegEncoder.Encode(new(2000, 1000, new byte[6_000_000]), quality: 30);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, await Status(sound[..(sound.Length / 2)]));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await Status(wide));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await Status(new byte[1_000_001]));
        Assert.Equal(HttpStatusCode.OK, await Status(sound));
    }

    [Fact]
    public async Task Full_queue_refuses_and_a_caller_that_left_is_passed_over()
    {
        using var model = new ServedModel(exported.Model, open: null, DecodingOptions.Default);
        await using var queue = new PredictionQueue(model, capacity: 2, workers: 1);
        using var working = new ManualResetEventSlim();
        using var go = new ManualResetEventSlim();
        using var left = new CancellationTokenSource();
        var photo = ImageDecoder.Decode(exported.Photos[0]);
        var first = queue.TryAdd(classifier =>
        {
            working.Set();
            go.Wait();
            return classifier.Predict(photo);
        }, Cancellation);
        working.Wait(Cancellation);
        var second = queue.TryAdd(classifier => classifier.Predict(photo), Cancellation);
        var third = queue.TryAdd(_ => throw new InvalidOperationException("nobody waits for it"), left.Token);

        Assert.Null(queue.TryAdd(classifier => classifier.Predict(photo), Cancellation));

        await left.CancelAsync();
        go.Set();
        Assert.Equal((await first!).Probabilities, (await second!).Probabilities);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => third!);
    }

    [Fact]
    public async Task Bodies_take_no_more_than_the_servers_bound_together()
    {
        var bodies = new HeldBodies(maxBytes: 10);
        var buffer = new byte[8];
        await using var first = bodies.Count(new MemoryStream(new byte[8]));
        await using var second = bodies.Count(new MemoryStream(new byte[8]));
        Assert.Equal(8, await first.ReadAsync(buffer, Cancellation));

        Assert.Equal(429, (await Assert.ThrowsAsync<Refusal>(() => second.ReadAsync(buffer, Cancellation).AsTask())).Status);

        await second.DisposeAsync();
        await first.DisposeAsync();
        await using var third = bodies.Count(new MemoryStream(new byte[8]));
        Assert.Equal(8, await third.ReadAsync(buffer, Cancellation));
    }

    [Fact]
    public void Pixels_of_a_request_take_little_more_room_than_the_body()
    {
        const int side = 1000;
        var json = System.Text.Encoding.UTF8.GetBytes(
            $"{{\"inputs\":[{{\"data\":[[{string.Join(',', Enumerable.Range(0, 3 * side * side).Select(index => index % 256))}]],\"name\":\"image\",\"datatype\":\"UINT8\",\"shape\":[1,{side},{side},3]}}]}}");
        var before = GC.GetAllocatedBytesForCurrentThread();

        var request = InferenceRequest.Parse(json, maxPixels: side * side);

        // The buffer that grows, and the pixels; a tree of JSON takes some hundred bytes for each number.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 3 * side * side, 5 * 3 * side * side);
        Assert.Equal((byte)(300 % 256), request.Photo.Pixels[300]);
        Assert.Equal(413, Assert.Throws<Refusal>(() => InferenceRequest.Parse(json, maxPixels: 1000)).Status);
    }

    [Fact]
    public async Task Metrics_page_and_description_are_there()
    {
        await Post(await File.ReadAllBytesAsync(exported.Photos[0], Cancellation));

        Assert.Matches("graft_requests_total\\{path=\"/predict\",status=\"200\"\\} [1-9]", await Client.GetStringAsync("metrics", Cancellation));
        Assert.Contains("<input", await Client.GetStringAsync("", Cancellation), StringComparison.Ordinal);
        var description = JsonDocument.Parse(await Client.GetStringAsync("openapi/v1.json", Cancellation)).RootElement;
        Assert.True(description.GetProperty("paths").TryGetProperty("/predict", out _));
    }

    [Fact]
    public async Task Replaced_model_takes_over_and_no_request_is_lost()
    {
        var photo = await File.ReadAllBytesAsync(exported.Photos[0], Cancellation);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var answered = 0;
        var asking = Enumerable.Range(0, 4).Select(_ => Task.Run(
            async () =>
            {
                while (!stop.IsCancellationRequested)
                {
                    await Post(photo);
                    Interlocked.Increment(ref answered);
                }
            },
            Cancellation)).ToList();

        for (var time = 1; time <= 2; time++)
        {
            var next = exported.Served + ".next";
            File.Copy(exported.Model, next);
            File.SetLastWriteTimeUtc(next, DateTime.UtcNow.AddMinutes(time));
            File.Move(next, exported.Served, overwrite: true);
            var deadline = Stopwatch.StartNew();
            while (!(await Client.GetStringAsync("metrics", Cancellation)).Contains($"graft_model_reloads_total {time}", StringComparison.Ordinal))
            {
                Assert.True(deadline.Elapsed < TimeSpan.FromSeconds(60), "the replaced model did not take over");
                await Task.Delay(100, Cancellation);
            }
        }
        // A damaged file does not take over.
        await File.WriteAllTextAsync(exported.Served, "not a model", Cancellation);
        await Task.Delay(TimeSpan.FromSeconds(3), Cancellation);
        await Post(photo);
        await stop.CancelAsync();
        await Task.WhenAll(asking);

        Assert.True(answered > 0);
    }
}
