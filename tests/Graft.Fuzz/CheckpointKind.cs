using System.IO.Compression;
using Graft.Checkpoints;
using Graft.Networks;

namespace Graft.Fuzz;

/// <summary>Weights files: PyTorch's two formats and a whole pickled module, safetensors, Keras's HDF5 of all ages and its archive.</summary>
internal sealed class CheckpointKind : FuzzKind
{
    private const long MostElements = 1 << 20;

    /// <summary>Written by PyTorch 1.13 and h5py 3.7, packed by gzip.</summary>
    private static readonly (string Name, string Packed)[] Written =
    [
        ("zip.pth", "H4sIAAAAAAACA6VUzU/TYBh/241uK6KIqHwoIn4VhX3hxUQEFjMOTXTMmDQmZJaursVK9/R9hyeSmYjRgwkHD+jB4M2DMR71xtGjmph404N/h/F5221sA8Hou/36ru3z+z2fe3NqKExINEq2LZn0EZoo6kyPl+862UwvubXDqoorQBStAwlm2TUsENSQJuMdZTozC0XbYCAahus4psFsd4nK172i6ZnFq/hGhtBoHsKK1okEw11ajt837ZLFoMNgrmdY8UKF2Q6VC565ULGdYoGZS9T1CstpGSRF0SK+H9fTSyZEAoqcdVyd3QgeyhDVBLRJQkwLcRflCsjqIIPOOZUoKobKPwz2KeqgGsPfAoOuJxYPaj+DA3no1mL1yBZsncJBC91aESuQTUGPJXPOIZRThVXo5ZfDgcARBkfz0OcL3DHqifW3CKRhAAVEBoNcQFSFR3AMo8LteCAyxOBEHob9RFHEj+Fki8QEjAQSp3yJVTjNYzgT0M8yOJcHpaJhi4nulSiMGriVdY+a8jX9nknLuoFVOj/6AC6swJgmop3jwfjs1IfnfL2gC75vw9EpNSnE5yGh+GqeS01I+n1nFccuQ8qsxHNqJPr26c+LXajDkfvjcEXJZG24Esls5tKOo/VXK5CrTuFlGr+IKmIDsYn4gSAzhHQjhhFJxDQih7iNKCOqiMeINcQ6YgPxGvEO8R6xifiI+DTD0+t5+Gvd4VUiu6c3VE8vlc0MkN3ir05x3cXFV294XcN76Ep13XQ2I5KAX9dYm5O+Rn2r3TUydY2JbObKv5e+qf7cXyRqfx8x9/Yfw4bQxLLpUTwOspnJ/wtgQuaeP78s3eSzK/qeBdHPs+a7eSDlbdFsnXDtvOZOt6YxL5LG8LazmvvYyrocarBS7azmzrWynm2x0u2s5nq3sr5tsSbaWc21irWw+B+70ZmcKkljtRdDofGGkdS2zwrB/iVcHwSJnxikv2Yg+M86pIAj+faB7W9JarmnewYAAA=="),
        ("legacy.pth", "H4sIAAAAAAACA2WSPW/TQBzGzy9piEshvFPCS2hBMkuUtmleprQS6nICSli8IJM6R2xk2fnb5yCQKnkpKkyMDAwdOzIydmTkI7DyEZAYeGxTpATbv7N9vvv9n7Odqh8M//fnnV/1V8e7y41UffRTQ7tPzLSqjLFJFMrQCX17KqLYCwNSMMBawhPfk9IXtghG3jAg9dAy0CnfTIQde29FTNo+6aZVQmfshpGkElctDXdeIGmB65aeOcJgTGWuJwlqOijjC0eiSmw8iUYiEqOHniMNYg8GpJjWImY4YTBtvBbe2JWkOjKMHLdhJ9LzY8OOxF7i+SNbiiAOI3u6bpBmmlY5i4CRw7EgvZhi7PjhUD4rOg0qWRWMafU67Y3O2kabFvKgziRBttpjSWeecmZyhWvZLqli8hqv4FqRZLx3s3SLks4OaCn35BH3vGFM51zUd3X3n3+zt9bprdN5t8wVeKvwcuWALmTNxcJ0SdLlAV3JZ7x0Tpd6dd7Ubrea3SZdg0mF6XpmUrnyjpaRE6cbha0m6eaAbuXvALY81e3/U222ul2689dVz10HdDdLtVJ4ViXdG9D97DM9z36N2fUocyZ17n1qc6l10VDY6Zb2VTa71Wbu0j6aLRwgBUfgBPwAbJuxKqiDJtgCu+AFmIAUHIKP4BM4AsfgC/gKTsA38H1bnamX9v8Ag4FSYRgDAAA="),
        ("module.pth", "H4sIAAAAAAACA6VWXW8UVRie3W237fBRoIDYImCxulUo7VZBpFvsAos6WMpUYETrODtztmfsdGbfmTOtguUjphQ0Jt4YQ6KGRO/0wgsTLug28hPUhGiiiUYuvECDEoPeeT5mu9stHybOZmd23vM+z/ue8zxnZoeURJ0kNTZKiw5ZWieNb7MMYnQVx5xcdrV07DbH6bhJPN/EXa7bNe5ZoYOCLtNziWG7yJeHEYTIJbbhyCB1noHYFMRTGitGfJphu6OQOKctofd60fCNcUSQH0CdaXqOg0xie24gH/Qt5CNrr20SGeo7VUhyAj0fFgosuwGzYKPWxoKu5+pFGrUDQuuWc/QAEWgydXpvO8R2dV2mERnkEVgyDUtVWKY1c0rDHJs0fEvHnjcWwHLO3KytZWN2oBdCx1mYAysGteVstOD5VcCVHLhKW1U9VPRRNNzCh1drK9lwQAyCdIvOLhpdw0fXaq1s1PEMqzqlQnIfT1snpr0ozQvKdPfzvFaxZpFC0MaD61Ma1V6ick3AA7eVcULeQ09pS4YNVL2NU7AphRPncB2HP5jSkhQ+iexRTKA9ItBDYjuBrPuILbZV0VWGzXdIoVIFnq9PpGV4KJXSGihpQDONUQQdAiLn6AzJsAjK8LAWoznd8IiWYP0XQ0gpbQQ6DylSSokpCfYh8CgNKk30d4zAY+d5y1sIbFWh6xy/2TYD3Sr08DXI20YAabwZ0wZwBxYFeqAXpxj6cUqsxKbhCXbaLqh2EHhShZ2C6qkZ2KVCX4iFGTO4CVNv9U/DbhWexsJHA3jFIBbOyGJhgT1YiL0XCzX3YaFWDguB9vOtQf1qYsN1kRPAM0pCW0pjXkgqwWeVGE8cQz691wP7OILn2BqcBYVLFBDfthAcoGsTOwvP8xUuGpbF9t8gnZp0Fg5yg1i2Y7BdB0Mi9ZAmi73qBtRSyAL1PPc7LV+kHZQ5hgXHC7zYqO+FxQAO06aWVuow6yE4otXT0HHkewEc1TYxS/pogu5QZJXJaKCIqJGpLSZtE4GWYuTsQ+DFMK/FKahgwrHFfnXoI8fw5QPiAi9Rx748BSNVjn0lhdtrNE6DTjWOE3iVaRxnkzbE3PNCZ5OApQISOhdmYFQFjGud0gu2YHmNs0zDGHOKIxjGCbgqeIKhOAOggl92SiCcQqYhVGEicspkxSmvR055I3LK8cgpJyKnvBk5ZarslAJdu9CnW/xktP7MKfPBU0o8zIdhvmtIaWi8/tGH+UtUD/YduuNroFFqiV4D27pz2ebal8Ce4pnSxS86Mjd2rZjrufln6cIPJ0tr1l8rXbhVyvz121d9A0c39f999fPL7TubSwPXr2UGnbcyHVf9zOWLy/qP7Pu+dFPp6F8S/ppp6c6VTgxtn5vs+yOz95/3+z751Jp9+50rpeGRHXNrOz/r+/nH5BxreuO7y244tC32vVvTG8pN9+Syrbd9c4njl550P+O9dGv7dfYgqLsHb7LMm85l45T39HvG7I363znHT/FTg4086+4c2TJHby7bf5fe/stxuvDt3Ddtu3ez+q1Xvvzg3vWbpAFan206utFz2cz/a6BXZpW//nj0MNuYcV45FufzjGpX20xe1E3lH0YtrlrphdNoSErzlqxFVeu4EDVbQfXUoqqVW4ha3TCPSteiqtd7IUqroHprUdVr1bQA9R1HRcoMKcnklmhgQ2LrfFKy5ro/Jq5qRE9x7PEuXYi4YzxWnxSYJM8Xuf8C3f7YUfsJAAA="),
        ("old.h5", "H4sIAAAAAAACA+1av2/TQBS+uzjFKgm4Aqkh/KhHRJU2VAxVF4poIAOiETBkKyFySdSQRgkqZoKxbIz9Exg7MjJ2ZOyfwlZs33uJ72I7gbS0KO+Louf37nJ3OX/vLH93X8obT7Kz+VnmwzSZwSwWxgnAXVF9LH8NloPdB/tNYNwIynIQt6B9OyX9Q4i/elEq+bVPNGA/X2fw94RpRLn0qOLbKvjIpyOh1qvvtvd8u11Xebn+l/3OAeN0XmegRe5dmd5oWrWPTnerXXvn9IL4Na9jwy/ncgQ4TBEapz/GDCtDO1fYda+lHadb623tOd1ec7ftxW9wyXmr/19M5X+lB6EgxlkqMt8w4I6Zb9ZNFuqNMO35huvu6kx0viEfyxP2+/L55gb3sgR59zOl5vEv8HPa8+DHglqP3ZXGvjed948Hn8E6gOuYC4GDvLRPH28+46GJVNYVDytLD5aKoXaPr1JuEAgEAoFAIBAIBAKB8L8BdQFdV8mA8sNZNtA3PzjNt433A4HT1zezLFnfXN5xum2ntVYMnDfNWm+tLyWM0h8bt6Ul/XE6oeuPNtjvebUeUgx9ZBnqWKt/2K/UH3mfd8eXGOSBhK6fEaLBWVrOGUcf9jkMGYDlZsjymPhweS64nrMXgn0WnyHzJpv/BOVp7w765UIILtcReeNSHKnU0kZcPdP5QF0b9djDO8n1kX/VW8SlZF7JGcXnED81nrSAJ4Y2gv0LNh/R+30HsO/RGdnC54fn+yUQCAQCgfCvMeo9/KhA7+H0Hj58DmhdO1ejn7eb9BwQ6lL6OZ4Mq0A/8brUZRavS23X+6qUdznQpOLOyxQXpV8pjJcvdpHyhfJlWLfqFNR6Z61bmYtqPuo8JoyrL8gFiAtVXxCaziAm1hs6dvTK4Z7rfOi6VeN+cn0cvbVMXErmlapbiVPjkRvDo4ulW/0GSFuuOXgyAAA="),
        ("chunked.h5", "H4sIAAAAAAACA+2bz08TQRTHZ6Y/WKHVEklAFO3JeLBIDDH8iIKRajVGGvXASVrr1hJqIS0inuAm3jxy9OiRm/wJHDly5K8wveHuzptud9pt+aEJ0O+naWbnzezMdPe92e2bN99TM0+j3YPdzMYwWJDFWD2HxMELb16VZyjllG5S+ksoedApGyB5jNqPB2R+m+RvXyeTdu1DDdXPj7A6H3QiqeTjtJ3OUV7p067w1sstlVbtNJ/z6uX0CfvtJY3T9TpCLXLryLBGU8x+Ncvzpewns+LIr1odB+1yLkeghinqxmmPMcJS1M5l1me1tGiWs5X5VbNcWVgqWfJrXOp8rPZbDM/vCrkiR8ZZoKm9KcHaEe0tdp3V9QY63d7UvDsWbm5vSh9Tp+z3zavZGW5ZidK7vYDXjquUH9CeB8YDb70RyqfHOvP+cefjzgNqHlsjwdagTJ89mX3J6y6kZ16xuD88OjxS1+7+FdgGAAAAAAAAAABw3lB+Ad2vEiHPD2dRx7/5xVz4WFhxHZy2fzPKWvs37y2a5ZJZnBhxMu8XspWJmiuhnf+xMCRT+B87E93/GKd0Z9BbT6mYyistU36s47r/pP+R1/Ruv4uRHUh0/xloDmdhec24ytM6R1AKaLppSLmPvLF8wDnujd9y1llsDek3WP86lYesO2iXC7kcwnosTXDWR4SapwzHQ1opfM7niya1wZw7b8s/mPlidsWVG6SBARHavukOSX3tpqlqrIVeiZo/tjra+vop/Zu7AV2qx35u8CbPjd5jtlO9682307cgLj0AAAAAAAAAnEvW3uUy8a7Rg/CfHc6+xfpuM7YxZQszmUJh+3cXCyb5ui2TXwAAAABcADgLaesT0jOv1jN5rZ7kyOsNQjinGNRegF9KyBq6B3nzjF2P5vtGdmkBbZnk7dZtq5MyxbptZ+K3b2RZW4jV92eddt+IimPQ931EWJr68Y9j6GH+cQz5XC2KwTp0Yxj89ldkxmV+Y/Jo9pJ+BHuBvTTGOfyc9Nb733EOY+Nee9T1GPg9N/U4hzsyFd73CKG9T4jjvlf8szgGei8Rga0pd0jCfUE53YY5Pc5h73nr+kr/ph9Cl+rxi3Not/89mtD106tviGMAAAAAALho/0da+zXFSf9/NPg1hxLNPRdny6/5F1O0BQHgSgAA"),
        ("keras3.h5", "H4sIAAAAAAACA+v0cHHj5ZLiYubgYICB/1DAIwjhG0DFF03e0env4RLEpHD1Blc2Mq5gEkLWCANcTAyMDAxsQGMYGdhyEitTi4oPwyxxZqAG4JNQMiHfScn5eWVGKWGMELPYBECCrCmpecWpF1igFuiT7CThf5PekOMkfpDtLGWJRcUvoQ5icGWgDvgqfe0p2Ek66E7awqQEVsHMhBb32B0JdKYIiGSEBQ8Do8EOqFaYDMzxjIZHmKFMLwaqgv9nbReBvcPIwMjowsDAxMLICLMKnWbEIY4hL8LAKKggzwDxmAKDOAeDeD2QxQr0NzMXBzDigB6DZpEcmEMaGAYcNPx+chMeFsAYYGIEAjL8lgP1GzxiNzAMOVByOq6dspyXzErlnBfk9iuRZjnPiA1XzmMQoE3O6ziS4ApPbSrA1MaESG1MaKmOiYTUVwBNffA6aMHgT22FMnF/GYYBaLAfWDwKRsEoGAWjYBSMAnoD9L4DExmttwr01tsQ7DtUfLK5CgDM8eOgDBEAAA=="),
    ];

    private static readonly Network Network = Small();

    public override string Name => "checkpoints";

    public override IReadOnlyList<byte[]> Words =>
    [
        [.. "PK\u0001\u0002"u8], [.. "PK\u0003\u0004"u8], [.. "PK\u0005\u0006"u8], [.. "PK\u0006\u0006"u8], [.. "TREE"u8], [.. "SNOD"u8], [.. "HEAP"u8], [.. "OHDR"u8], [.. "OCHK"u8],
        [.. "FRHP"u8], [.. "FHDB"u8], [.. "FHIB"u8], [.. "BTHD"u8], [.. "BTLF"u8], [.. "BTIN"u8], [.. "GCOL"u8],
        [0x80, 2], [.. "cos\nsystem\n"u8], [.. "cargparse\nNamespace\n"u8], [.. ")R"u8], [.. ")\u0081"u8], [.. "}b"u8], [.. "]("u8], [.. "e."u8], [.. "\"F32\""u8], [.. "\"F64\""u8],
        [.. "\"shape\":[0]"u8], [.. "__metadata__"u8], [.. "data_offsets"u8],
    ];

    public override IReadOnlyList<Seed> Seeds(string folder)
    {
        var seeds = Written.Select(file => new Seed(file.Name, Unpack(file.Packed))).ToList();
        var path = Path.Combine(folder, "seed.safetensors");
        SafetensorsWriter.Write(
            path,
            [.. Network.Parameters.Select(parameter => new TensorSource(
                "module." + parameter.Key, TensorType.Float32, [.. parameter.Shape.Select(size => (long)size)], (_, values) => values.Fill(1)))],
            new Dictionary<string, string> { ["classes"] = "[\"rose\",\"tulip\"]" });
        seeds.Add(new("safetensors", File.ReadAllBytes(path)));
        seeds.Add(new("keras", Archive(seeds.Single(seed => seed.Name == "keras3.h5").Bytes)));
        return seeds;
    }

    public override bool Read(byte[] input, string folder)
    {
        var path = Path.Combine(folder, "weights.bin");
        File.WriteAllBytes(path, input);
        try
        {
            using var file = Checkpoint.Open(path);
            foreach (var tensor in file.Tensors.Where(tensor => tensor.ElementCount <= MostElements).Take(100)) file.Read(tensor.Name, new float[tensor.ElementCount]);
            var weights = CheckpointWeights.Match(file, Network);
            foreach (var parameter in Network.Parameters) weights.Read(parameter, new float[parameter.ElementCount]);
            return true;
        }
        catch (GraftException)
        {
            return false;
        }
    }

    private static Network Small()
    {
        var builder = new NetworkBuilder("small");
        return builder.Build(builder.Input("image", channels: 3, size: 4).Convolution("conv", 1, kernel: 3).GlobalPool("pool").Dense("fc", 2));
    }

    private static byte[] Archive(byte[] weights)
    {
        const string Config = """{"class_name":"Functional","config":{"layers":[{"class_name":"Conv2D","config":{"name":"conv"}},{"class_name":"Dense","config":{"name":"fc"}}]}}""";
        var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            using (var entry = zip.CreateEntry("config.json", CompressionLevel.NoCompression).Open()) entry.Write(System.Text.Encoding.UTF8.GetBytes(Config));
            using (var entry = zip.CreateEntry("model.weights.h5", CompressionLevel.NoCompression).Open()) entry.Write(weights);
        }
        return bytes.ToArray();
    }

    private static byte[] Unpack(string packed)
    {
        var bytes = new MemoryStream();
        using (var archive = new GZipStream(new MemoryStream(Convert.FromBase64String(packed)), CompressionMode.Decompress)) archive.CopyTo(bytes);
        return bytes.ToArray();
    }
}
